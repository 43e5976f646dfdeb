"""One look at the source, and the retraining that it may start."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from configs.load import resolve
from configs.schema import Settings
from flows.parameters import form
from tasks.domain.ingestion.triggers import Look
from tasks.watching.poll_source import look
from tasks.watching.trigger_retraining import begin


@flow(name="watch", persist_result=False, validate_parameters=False)
@form()
def watch(settings: Settings) -> State[Look]:
    """Look whether uploads are a reason to retrain now, and start a retraining where they are."""
    settings = resolve(settings)
    looked = look(settings)
    if looked.key:
        looked = begin(looked, settings)
    state: State[Look] = Completed(name=looked.state, message=looked.why, data=looked)
    return state
