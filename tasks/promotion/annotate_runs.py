"""Showing one decision in MLflow: tags on the version, and tags, figures and files on its run."""

from collections.abc import Callable

from configs import schema
from configs.errors import PedigreeError, ServiceUnavailableError
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.mlflow_summary import (
    build_dataset_tags,
    build_run_name,
    build_verdict_tags,
    collect_dataset_metrics,
)
from tasks.promotion.draw_lineage import draw_lineage_of
from tasks.stores.store import Store
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.client import describe_restore, lifecycle


def annotate_runs(store: Store, tracking: schema.Tracking, decision: Decision) -> str:
    """Write a decision to its version and run in MLflow, as far as MLflow still has them.

    Args:
        store: The store that holds the dataset's card and manifest.
        tracking: The MLflow that is written to.
        decision: What was decided.

    Returns:
        What MLflow refuses, with the way out; empty where it took everything.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    if decision.outcome == "renumbered":
        return ""
    refused = (
        _refusal(lambda: _tag_version(tracking, decision)),
        _refusal(lambda: _tag_run(store, tracking, decision)),
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


def _tag_version(tracking: schema.Tracking, decision: Decision) -> None:
    """Write the decision onto the version, wherever MLflow has it now."""
    version = registry.version_of(tracking.url, tracking.model, decision)
    if version:
        registry.tag_version(tracking.url, tracking.model, version.number, _decision_tags(decision))


def _tag_run(store: Store, tracking: schema.Tracking, decision: Decision) -> None:
    """Write the decision onto the run; a retraining's own run also gets its data card, and ends.

    A run that MLflow has no longer has nothing to show.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
        PedigreeError: MLflow refuses.
    """
    try:
        if decision.decided_by_gate:
            _finish_run(store, tracking, decision)
        else:
            runs.tag(tracking.url, decision.run_id, _decision_tags(decision))
        draw_lineage_of(store, tracking, decision)
    except ServiceUnavailableError:
        raise
    except PedigreeError as problem:
        stage = lifecycle(tracking.url, decision.run_id)
        if stage == "active":
            raise
        if stage == "deleted":
            raise PedigreeError(f"{describe_restore(tracking.url, decision.run_id)}.") from problem


def _finish_run(store: Store, tracking: schema.Tracking, decision: Decision) -> None:
    card = store.data_cards.read(decision.dataset) or {}
    tags = build_verdict_tags(decision) | build_dataset_tags(card)
    runs.log_files(tracking.url, decision.run_id, store.manifests.files(decision.dataset))
    runs.finish(tracking.url, decision.run_id, build_run_name(decision, card), tags, collect_dataset_metrics(card))


def _decision_tags(decision: Decision) -> dict[str, str]:
    person = {"pedigree.person": decision.person, "pedigree.why": decision.why} if decision.person else {}
    return {"pedigree.outcome": decision.outcome, "pedigree.decision": str(decision.number), **person}
