"""Watching, step 2: start the retraining that a look asks for, once, and not while another one works."""

from dataclasses import replace

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound

from configs import schema
from configs.errors import PedigreeError
from configs.flat_fields import filled
from tasks.domain.ingestion.triggers import PollResult
from tasks.step import step

_DEPLOYMENT = "retrain/retrain"
# Those that work, and those whose time has come and that wait for a worker or for the one that works.
_AT_WORK = {
    "operator": "or_",
    "type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]},
    "name": {"any_": ["Late", "AwaitingConcurrencySlot"]},
}


@step(hours=2)
def trigger_retraining(poll_result: PollResult, settings: schema.Settings) -> PollResult:
    """Start the deployment ``retrain`` with these settings; two looks that saw the same start the same run.

    Raises:
        PedigreeError: Nobody has deployed it to this Prefect server.
    """
    with get_client(sync_client=True) as client:
        if working := _at_work(client):
            return PollResult("Not yet", f"the retraining {working.name} works, and the next look goes on from it")
        try:
            deployment = client.read_deployment_by_name(_DEPLOYMENT)
        except ObjectNotFound:
            message = f"Prefect has no deployment {_DEPLOYMENT}: pedigree up -c FILE makes it here, pedigree deploy"
            raise PedigreeError(f"{message} elsewhere.") from None
        run = client.create_flow_run_from_deployment(
            deployment.id, parameters=filled(settings, "watch"), idempotency_key=poll_result.key
        )
    if run.state and run.state.is_final():
        return PollResult("Not yet", f"the retraining {run.name} of the same images ended {run.state.name}: see there")
    return replace(poll_result, why=f"{poll_result.why}: retraining {run.name}")


def _at_work(client: SyncPrefectClient) -> FlowRun | None:
    runs = client.read_flow_runs(
        flow_filter=FlowFilter.model_validate({"name": {"any_": ["retrain"]}}),
        flow_run_filter=FlowRunFilter.model_validate({"state": _AT_WORK}),
        limit=1,
    )
    return runs[0] if runs else None
