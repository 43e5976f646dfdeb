"""Showing decisions in MLflow: tags and descriptions of versions and runs, and the names, figures and files of runs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from configs import schema
from configs.errors import PedigreeError, ServiceUnavailableError
from tasks.domain.registry.decisions import Decision, RegisteredVersion
from tasks.domain.runs.mlflow_names import CHANGES, PAGES, SHADOW
from tasks.domain.runs.mlflow_summary import build_verdict_tags, collect_dataset_metrics
from tasks.domain.runs.mlflow_texts import DESCRIPTION, build_run_name, describe_run, describe_version, is_replaceable
from tasks.promotion.draw_lineage import draw_lineage_of
from tasks.reports.pages.run_links import TITLES, link_pages
from tasks.stores.store import Store
from tasks.stores.tracking import registry, run_contents, runs
from tasks.stores.tracking.client import describe_restore, lifecycle
from tasks.stores.tracking.pages import file_page, run_route


def annotate_runs(store: Store, tracking: schema.Tracking, decision: Decision, entries: Sequence[Decision]) -> str:
    """Let the version and the run of a decision tell what the ledger says of them, as far as MLflow still has them.

    Both tell the last decision about them, so that it does not matter in which order decisions arrive.

    Args:
        store: The store that holds the dataset's card and manifest.
        tracking: The MLflow that is written to.
        decision: What was decided.
        entries: The ledger, with that decision.

    Returns:
        What MLflow refuses, with the way out; empty where it took everything.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    if decision.outcome == "renumbered":
        return ""
    decisions = _about(entries, decision.model)
    refused = (
        _refusal(lambda: _describe_version(tracking, decisions)),
        _refusal(lambda: _describe_run(store, tracking, decision, decisions)),
    )
    return "; ".join(filter(None, refused))


def _about(entries: Sequence[Decision], model: tuple[str, str, str]) -> list[Decision]:
    return [entry for entry in entries if entry.model == model and entry.outcome != "renumbered"]


def _refusal(act: Callable[[], None]) -> str:
    """Return why MLflow will not do this now or later, unless somebody does something; empty where it did it."""
    try:
        act()
    except ServiceUnavailableError:
        raise
    except PedigreeError as problem:
        return str(problem).rstrip(".")
    return ""


def annotate_version(tracking: schema.Tracking, model: tuple[str, str, str], entries: Sequence[Decision]) -> str:
    """Write the decisions about a model onto its version, such as one that was just registered again.

    Args:
        tracking: The MLflow that is written to.
        model: What identifies the model, as in ``Decision.model``.
        entries: The ledger.

    Returns:
        What MLflow refuses; empty where it took everything.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    return _refusal(lambda: _describe_version(tracking, _about(entries, model)))


def annotate_overtaken(store: Store, tracking: schema.Tracking, own: Decision, written: Decision) -> None:
    """Complete the pages of a run about whose data and settings another run decided while it was at work.

    Args:
        store: The store that holds the dataset's card and manifest.
        tracking: The MLflow that is written to.
        own: What this run would have decided.
        written: What the other run decided.
    """
    runs.log_files(tracking.url, own.run_id, _dataset_files(store, tracking, own))
    # Two machines may come to two heads: the picture shows the model of this run, and the decision of the other one.
    decided = {name: getattr(written, name) for name in ("number", "time", "outcome", "champion", "reason")}
    draw_lineage_of(store, tracking, replace(own, **decided))
    annotate_version(tracking, written.model, store.ledger.entries())


def _describe_version(tracking: schema.Tracking, decisions: Sequence[Decision]) -> None:
    """Write the decisions about a version onto it, wherever MLflow has it now."""
    last = decisions[-1]
    version = registry.version_of(tracking.url, tracking.model, last)
    if version:
        description = _version_text(tracking, decisions, version) if is_replaceable(version.description) else ""
        registry.tag_version(tracking.url, tracking.model, version.number, _version_tags(last), description)


def _version_text(tracking: schema.Tracking, decisions: Sequence[Decision], version: RegisteredVersion) -> str:
    run = _run_route(tracking.url, version.run_id)
    links = {
        "the run": run,
        **{name: f"{run}/artifacts/{path}" if run else "" for name, path in _files_of(tracking, decisions, version)},
    }
    return describe_version(decisions, version.number, tracking.model, links)


def _files_of(
    tracking: schema.Tracking, decisions: Sequence[Decision], version: RegisteredVersion
) -> Iterator[tuple[str, str]]:
    """Yield the pages of a version's run, which has none where it stands in for one that MLflow has lost."""
    judged = any(entry.decided_by_gate and entry.run_id == version.run_id for entry in decisions)
    files = (
        PAGES.values()
        if judged or not version.run_id
        else run_contents.read_named_files(tracking.url, version.run_id, tuple(PAGES.values()))
    )
    yield from ((name, path) for name, path in PAGES.items() if path in files)


def _run_route(url: str, run_id: str) -> str:
    """Return where a run's page is; empty where MLflow has lost the run."""
    try:
        return run_route(url, run_id) if run_id else ""
    except ServiceUnavailableError:
        raise
    except PedigreeError:
        return ""


def _describe_run(store: Store, tracking: schema.Tracking, decision: Decision, decisions: Sequence[Decision]) -> None:
    """Write the decisions about a run's model onto it; a retraining's own run also gets its data card, and ends.

    A run that MLflow has no longer has nothing to show.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
        PedigreeError: MLflow refuses.
    """
    own = [entry for entry in decisions if entry.run_id == decision.run_id]
    try:
        _tell_run(store, tracking, decision, own)
        draw_lineage_of(store, tracking, decision)
    except ServiceUnavailableError:
        raise
    except PedigreeError as problem:
        stage = lifecycle(tracking.url, decision.run_id)
        if stage == "active":
            raise
        if stage == "deleted":
            raise PedigreeError(f"{describe_restore(tracking.url, decision.run_id)}.") from problem


def _tell_run(store: Store, tracking: schema.Tracking, decision: Decision, own: Sequence[Decision]) -> None:
    url, run_id, card = tracking.url, decision.run_id, store.data_cards.read(decision.dataset) or {}
    name, report = build_run_name(own, card), runs.read_tags(url, run_id).get(DESCRIPTION, "")
    tags = {**build_verdict_tags(own[-1]), DESCRIPTION: describe_run(own, report)}
    # Only the decision at the end of a retraining ends its run: one of a later day would make it last for days.
    if decision == own[0] and decision.decided_by_gate:
        runs.log_files(url, run_id, _dataset_files(store, tracking, decision))
        ended = int(datetime.fromisoformat(decision.time).timestamp() + 1) * 1000
        runs.finish(url, run_id, name, tags, collect_dataset_metrics(card), ended)
    else:
        runs.tag(url, run_id, {**tags, runs.NAME: name})


def _dataset_files(store: Store, tracking: schema.Tracking, decision: Decision) -> dict[str, bytes]:
    """Return the files of the dataset version; the run's copy of the data card leads to the other pages of the run."""
    pages = [file for file in TITLES if file != SHADOW and (decision.against or file != CHANGES)]
    addresses = {file: file_page(tracking.url, decision.run_id, file) for file in pages}
    return link_pages(store.manifests.files(decision.dataset), addresses)


def _version_tags(decision: Decision) -> dict[str, str]:
    person = {"pedigree.person": decision.person, "pedigree.why": decision.why} if decision.person else {}
    return {"pedigree.outcome": decision.outcome, "pedigree.decision": str(decision.number), **person}
