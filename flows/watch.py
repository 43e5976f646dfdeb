"""The watch flow: poll the source once, and start a retraining where uploads are a reason."""

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Completed

from configs.load import resolve
from configs.schema import Settings
from flows.decorators import flat_parameters
from tasks.domain.ingestion.triggers import QUIET, PollResult
from tasks.reports.prefect_ui.runs_list import delete_ended_runs, name_flow_run, name_scheduled_runs
from tasks.watching.drift_news import ask_people
from tasks.watching.watch_source import poll_source, trigger_retraining


@flow(name="watch", flow_run_name=name_flow_run, persist_result=False, validate_parameters=False)
@flat_parameters()
def watch(settings: Settings) -> State[PollResult]:
    """Poll the source for uploads, start a retraining where they are a reason, and ask for labels where drift is."""
    settings = resolve(settings)
    poll_result = poll_source(settings)
    if poll_result.key:
        poll_result = trigger_retraining(poll_result, settings)
    elif poll_result.unanswered:
        ask_people(poll_result, settings.tracking.model)
    with get_client(sync_client=True) as client:
        name_scheduled_runs(client)
        # Of polls that had nothing to say the list shows the last one: there are 288 a day.
        delete_ended_runs(client, "watch", QUIET)
    state: State[PollResult] = Completed(name=poll_result.state, message=poll_result.why, data=poll_result)
    return state
