"""The names that Prefect shows: of a night's run, and of the state that it ends in."""

from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from configs.errors import PedigreeError
from configs.visible_text import visible
from tasks.domain.runs.outcome import Outcome


def run_name() -> str:
    """Name a run by the minute of its beginning, which says more in a list than two words of chance."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def make_final_state(outcome: Outcome) -> State[Outcome]:
    """Make the final state: Promoted, Rejected, Needs approval, Unchanged or Waiting, with the reason beside it.

    Raises PedigreeError, so that the run fails and people are told, where MLflow serves what nobody registered.
    """
    if outcome.alarm:
        raise PedigreeError(f"The night ended {outcome.status}. {outcome.alarm}.")
    state: State[Outcome] = Completed(
        name=outcome.status.replace("-", " ").capitalize(), message=visible(outcome.reason), data=outcome
    )
    return state


def flow_run_tags() -> dict[str, str]:
    """Name the Prefect flow run that this code runs in, and the address of its page where a server has pages."""
    page = str(flow_run.ui_url)
    return {"flow_run": str(flow_run.id or "none"), "flow_run_url": page if page.startswith("http") else "none"}


def label_flow_run(name: str, page: str) -> None:
    """Write the address of a page onto the flow run, where messages about it find it."""
    if flow_run.id and page:
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(UUID(str(flow_run.id)), {f"pedigree.{name}": page})
