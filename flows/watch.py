"""The watch flow: poll the source once, and start a retraining where uploads are a reason."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from configs.load import resolve
from configs.schema import Settings
from flows.decorators import flat_parameters
from tasks.domain.ingestion.triggers import PollResult
from tasks.watching.drift_news import ask_people
from tasks.watching.watch_source import poll_source, trigger_retraining


@flow(name="watch", persist_result=False, validate_parameters=False)
@flat_parameters()
def watch(settings: Settings) -> State[PollResult]:
    """Poll the source for uploads, start a retraining where they are a reason, and ask for labels where drift is."""
    settings = resolve(settings)
    poll_result = poll_source(settings)
    if poll_result.key:
        poll_result = trigger_retraining(poll_result, settings)
    elif poll_result.unanswered:
        ask_people(poll_result, settings.tracking.model)
    state: State[PollResult] = Completed(name=poll_result.state, message=poll_result.why, data=poll_result)
    return state
