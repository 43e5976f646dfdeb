"""Summary of a run: its state, its reason, and what it cost."""

import sys
from dataclasses import replace

from configs import schema
from configs.errors import PedigreeError
from tasks.domain.datasets.data_card import DataCardSummary
from tasks.domain.ingestion.source_objects import Snapshot
from tasks.domain.runs.mlflow_summary import collect_cost_metrics
from tasks.domain.runs.results import (
    AlreadyDecided,
    ChallengerOutcome,
    Outcome,
    RunData,
    summarize_decided_run,
    summarize_untrained_run,
)
from tasks.promotion.settle import NOTHING_SETTLED, Settled
from tasks.promotion.sync_registry import RegistrySync
from tasks.reports.prefect_ui.artifacts import show_outcome
from tasks.runs.keep_in_shape import keep_in_shape
from tasks.runs.look import note_quiet_run
from tasks.step import log_line, machine_samples, seconds_by_step, step
from tasks.stores.store import Store
from tasks.stores.tracking import runs


@step(hours=2, logged=False)
def summarize(
    data: RunData,
    sync: RegistrySync,
    settings: schema.Settings,
    decided: ChallengerOutcome | AlreadyDecided | None = None,
    settled: Settled = NOTHING_SETTLED,
) -> Outcome:
    """Put the run together in one outcome, show it as the run's summary artifact, and write its cost into MLflow.

    Args:
        data: What the photographs came to.
        sync: What MLflow had to catch up with.
        settings: Those of the store, the tracking and the gate are read.
        decided: What was decided about a challenger; None where none was trained.
        settled: What was decided about an earlier challenger, which waited for live photographs.

    Returns:
        How the run ended, with the time that each step took.
    """
    if isinstance(decided, AlreadyDecided):
        data, sync, decided = data.mark_decided(decided), sync.leave_out(decided.decision), None
    promotion = decided.promotion if decided else None
    seconds, words = seconds_by_step(), sync.messages(promotion.decision if promotion else None)
    if promotion and not settings.gate.serve_check:
        words = (*words, "the packaged model was not asked, since gate.serve_check is off")
    outcome = (
        summarize_decided_run(data, decided.challenger, decided.promotion, seconds)
        if decided
        else summarize_untrained_run(data, seconds)
    )
    outcome = settled.add_to(outcome)
    outcome = replace(outcome, reason="; ".join((outcome.reason, *words)), alarm=sync.alarm)
    card = Store(settings.store.url).data_cards.read(data.dataset.hash) if promotion else None
    show_outcome(outcome, data, decided.challenger if decided else None, promotion.pages if promotion else {}, card)
    _log_cost(settings.tracking.url, outcome)
    return outcome


def _log_cost(url: str, outcome: Outcome) -> None:
    """Write what a run cost into MLflow; where MLflow does not take it, a run that is decided does not fail."""
    try:
        if outcome.run_id:
            runs.log_metrics(url, outcome.run_id, collect_cost_metrics(outcome), samples=machine_samples())
    except PedigreeError as problem:
        log_line(f"What the run cost is in the summary, and not in MLflow: {problem}")


@step(hours=2, logged=False)
def mark_processed(
    listed: Snapshot, data: RunData, sync: RegistrySync, outcome: Outcome, settings: schema.Settings
) -> Outcome:
    """Note that a listing is answered, so that only what differs from it is a reason to retrain.

    Args:
        listed: The listing; one of a former day answers nothing.
        data: What its photographs came to.
        sync: What MLflow had to catch up with.
        outcome: How the run ended.
        settings: All of them, since the next run is foreseen only under the same.

    Returns:
        The outcome, unchanged.
    """
    store = Store(settings.store.url)
    if not listed.moment:
        store.processed_snapshots.write(listed.source, listed.taken, str(outcome))
    changed = outcome.status != "unchanged"
    # A run that found nothing new may not even have opened a table, and need not load Lance for their fragments.
    if changed or "lance" in sys.modules:
        keep_in_shape(store, sweep=changed)
    # Whatever is still to be done in MLflow, the next run has to do.
    if not (listed.moment or sync.alarm or sync.alias_problem or store.ledger.pending(store.ledger.entries())):
        note_quiet_run("retrain", listed, data, settings, (*sync.deviations, *sync.describe_waiting()))
    return outcome


@step(hours=2, logged=False)
def mark_rebuilt(listed: Snapshot, data: RunData, card: DataCardSummary | None, settings: schema.Settings) -> None:
    """Note what a version was built from, so that the next rebuild of the same photographs builds nothing.

    Args:
        listed: The listing.
        data: What its photographs came to.
        card: The summary of the data card; None where nothing can be trained.
        settings: All of them, since the next rebuild is foreseen only under the same.
    """
    note_quiet_run("rebuild", listed, data, settings, card=str(card or ""))
