"""The end of a night: its state, its reason, and a summary where people look."""

from tasks.domain.night import Challenger, Data, Promotion
from tasks.domain.outcome import Outcome, decided, settled
from tasks.reports.artifacts import show_outcome
from tasks.step import seconds_by_step, step


@step
def conclude(data: Data, challenger: Challenger | None = None, promotion: Promotion | None = None) -> Outcome:
    """Put the night together in one outcome and show it as the run's summary artifact."""
    seconds = seconds_by_step()
    outcome = decided(data, challenger, promotion, seconds) if challenger and promotion else settled(data, seconds)
    show_outcome(outcome, promotion.card_page if promotion else "")
    return outcome
