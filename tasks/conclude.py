"""The end of a night: its state, its reason, and a summary where people look."""

from dataclasses import replace

from tasks.domain.night import Challenger, Data, Promotion
from tasks.domain.outcome import Outcome, decided, settled
from tasks.following import Followed
from tasks.reports.artifacts import show_outcome
from tasks.step import seconds_by_step, step


@step(hours=2)
def conclude(
    data: Data, followed: Followed, challenger: Challenger | None = None, promotion: Promotion | None = None
) -> Outcome:
    """Put the night together in one outcome and show it as the run's summary artifact."""
    seconds, words = seconds_by_step(), followed.words(promotion.decision if promotion else None)
    outcome = decided(data, challenger, promotion, seconds) if challenger and promotion else settled(data, seconds)
    outcome = replace(outcome, reason="; ".join((outcome.reason, *words)))
    show_outcome(outcome, data, challenger, promotion.pages if promotion else {})
    return outcome
