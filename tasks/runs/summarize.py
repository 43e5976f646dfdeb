"""The end of a night: its state, its reason, and a summary where people look."""

from dataclasses import replace

from configs import schema
from configs.errors import Problem
from tasks.domain.registry.decisions import Promotion
from tasks.domain.runs.mlflow_summary import cost_figures
from tasks.domain.runs.outcome import Outcome, decided, settled
from tasks.domain.runs.results import Challenger, Data
from tasks.promotion.sync_registry import Followed
from tasks.reports.prefect_ui.artifacts import show_outcome
from tasks.step import say, seconds_by_step, step
from tasks.stores.files.manifests import read_card
from tasks.stores.tracking import runs


@step(hours=2, logged=False)
def conclude(
    data: Data,
    followed: Followed,
    settings: schema.Settings,
    challenger: Challenger | None = None,
    promotion: Promotion | None = None,
) -> Outcome:
    """Put the night together in one outcome, show it as the run's summary artifact, and write its cost into MLflow."""
    seconds, words = seconds_by_step(), followed.words(promotion.decision if promotion else None)
    if promotion and not settings.gate.serve_check:
        words = (*words, "the packaged model was not asked, since gate.serve_check is off")
    outcome = decided(data, challenger, promotion, seconds) if challenger and promotion else settled(data, seconds)
    outcome = replace(outcome, reason="; ".join((outcome.reason, *words)), alarm=followed.alarm)
    card = read_card(settings.store.url, data.dataset.hash) if promotion else None
    show_outcome(outcome, data, challenger, promotion.pages if promotion else {}, card)
    _tell_cost(settings.tracking.url, outcome)
    return outcome


def _tell_cost(url: str, outcome: Outcome) -> None:
    """Write what a night cost into its run; where MLflow does not take it, a night that is decided does not fail."""
    try:
        if outcome.run_id:
            runs.log_metrics(url, outcome.run_id, cost_figures(outcome))
    except Problem as problem:
        say(f"What the night cost is in the summary, and not in MLflow: {problem}")
