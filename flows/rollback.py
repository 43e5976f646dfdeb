"""The rollback flow: the previous champion serves again."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from configs.schema import Store, Tracking
from flows.decorators import flat_parameters
from tasks.promotion.aliases import Approver
from tasks.promotion.overrides import Override, roll_back_champion
from tasks.reports.prefect_ui.runs_list import name_flow_run


@flow(name="rollback", flow_run_name=name_flow_run, persist_result=False, validate_parameters=False)
@flat_parameters()
def rollback(store: Store, tracking: Tracking, why: str, by: str) -> State[Override]:
    """Promote the previous champion again, and hold the present one until a person lifts the hold.

    Args:
        store: Where Pedigree keeps what it knows.
        tracking: The MLflow whose aliases follow.
        why: The reason, in a sentence.
        by: Your name.

    Returns:
        A completed state named Rolled back, with the decision.
    """
    override = roll_back_champion(store, tracking, Approver(by, why))
    state: State[Override] = Completed(name="Rolled back", message=str(override), data=override)
    return state
