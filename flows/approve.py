"""The approve flow: promote a version that waits for a person, or that the gate rejected, from the Prefect UI."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from configs.schema import Store, Tracking
from flows.decorators import flat_parameters
from tasks.promotion.aliases import Approver
from tasks.promotion.overrides import Override
from tasks.promotion.overrides import approve as approved
from tasks.reports.prefect_ui.runs_list import name_flow_run


@flow(name="approve", flow_run_name=name_flow_run, persist_result=False, validate_parameters=False)
@flat_parameters()
def approve(store: Store, tracking: Tracking, version: str, why: str, by: str, instead_of: str = "") -> State[Override]:
    """Promote a version on a person's decision; the ledger keeps who decided, when and why.

    Args:
        store: Where Pedigree keeps what it knows.
        tracking: The MLflow whose aliases follow.
        version: The model version to promote, such as 4.
        why: The reason, in a sentence.
        by: Your name.
        instead_of: The version that serves now, where it is not the one that this version was compared with.

    Returns:
        A completed state named Promoted, with the decision.
    """
    override = approved(store, tracking, version, Approver(by, why), instead_of)
    state: State[Override] = Completed(name="Promoted", message=str(override), data=override)
    return state
