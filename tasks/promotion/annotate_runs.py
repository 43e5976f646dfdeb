"""Showing decisions in MLflow: tags and descriptions of versions and runs, and the names, figures and files of runs."""

from collections.abc import Callable, Sequence
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
from tasks.stores.tracking import registry, runs
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
    decisions = [entry for entry in entries if entry.model == decision.model and entry.outcome != "renumbered"]
    refused = (
        _refusal(lambda: _describe_version(tracking, decisions)),
        _refusal(lambda: _describe_run(store, tracking, decision, decisions)),
    )
    return "; ".join(filter(None, refused))


def _refusal(act: Callable[[], None]) -> str:
    """Return why MLflow will not do this now or later, unless somebody does something; empty where it did it."""
    try:
        act()
    except ServiceUnavailableError:
        raise
    except PedigreeError as problem:
        return str(problem).rstrip(".")
    return ""


def _describe_version(tracking: schema.Tracking, decisions: Sequence[Decision]) -> None:
    """Write the decisions about a version onto it, wherever MLflow has it now."""
    last = decisions[-1]
    version = registry.version_of(tracking.url, tracking.model, last)
    if version:
        description = _version_text(tracking, decisions, version) if is_replaceable(version.description) else ""
        registry.tag_version(tracking.url, tracking.model, version.number, _version_tags(last), description)


def _version_text(tracking: schema.Tracking, decisions: Sequence[Decision], version: RegisteredVersion) -> str:
    run = _run_route(tracking.url, version.run_id)
    links = {"the run": run, **{name: f"{run}/artifacts/{path}" if run else "" for name, path in PAGES.items()}}
    return describe_version(decisions, version.number, tracking.model, links)


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
