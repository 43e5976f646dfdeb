"""The model that served before, put back in one run."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from configs.schema import Store, Tracking
from flows.parameters import form
from tasks.promotion.overrides import Overruled, Person, roll_back_champion


@flow(name="rollback", persist_result=False, validate_parameters=False)
@form()
def rollback(store: Store, tracking: Tracking, why: str, by: str) -> State[Overruled]:
    """Let the previous champion serve again, and hold the present one until a person lifts that.

    Args:
        store: Where Pedigree keeps what it knows.
        tracking: The MLflow whose aliases follow.
        why: The reason, in a sentence.
        by: Your name.
    """
    found = roll_back_champion(store, tracking, Person(by, why))
    state: State[Overruled] = Completed(name="Rolled back", message=str(found), data=found)
    return state
