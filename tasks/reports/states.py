"""The names that Prefect shows: of a night's run, and of the state that it ends in."""

from datetime import UTC, datetime

from prefect.client.schemas.objects import State
from prefect.states import Completed

from configs.problems import Problem
from configs.visible_text import visible
from tasks.domain.outcome import Outcome


def run_name() -> str:
    """Name a run by the minute of its beginning, which says more in a list than two words of chance."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def named_state(outcome: Outcome) -> State[Outcome]:
    """Make the final state: Promoted, Rejected, Needs approval, Unchanged or Waiting, with the reason beside it.

    Raises Problem, so that the run fails and people are told, where MLflow serves what nobody registered.
    """
    if outcome.alarm:
        raise Problem(f"The night ended {outcome.status}. {outcome.alarm}.")
    state: State[Outcome] = Completed(
        name=outcome.status.replace("-", " ").capitalize(), message=visible(outcome.reason), data=outcome
    )
    return state
