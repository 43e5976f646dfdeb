"""The name that a night ends with, as Prefect shows it."""

from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.domain.outcome import Outcome


def named_state(outcome: Outcome) -> State[Outcome]:
    """Make the final state: Promoted, Rejected, Needs approval, Unchanged or Waiting, with the reason beside it."""
    state: State[Outcome] = Completed(
        name=outcome.status.replace("-", " ").capitalize(), message=outcome.reason, data=outcome
    )
    return state
