"""Where the present flow run came from: when it began, who started it, and by which command or deployment."""

from collections.abc import Mapping
from dataclasses import dataclass
from getpass import getuser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

# The watcher names the runs that it starts after what made it start them.
_WATCHED = "uploads "


@dataclass(frozen=True, slots=True)
class FlowRunOrigin:
    """The origin of a flow run.

    Attributes:
        started: When it began, in milliseconds since 1970; None outside of a flow run.
        user: Who started it: a person at a terminal, or what of Prefect did.
        source: The command at a terminal, or the deployment.
        kind: LOCAL for a terminal, JOB for a deployment: MLflow shows a sign for each.
    """

    started: int | None
    user: str
    source: str
    kind: str

    def to_tags(self) -> Mapping[str, str]:
        """Return the tags under which MLflow shows the origin."""
        return {"mlflow.user": self.user, "mlflow.source.name": self.source, "mlflow.source.type": self.kind}


def read_origin() -> FlowRunOrigin:
    """Read where the present flow run came from."""
    from prefect.context import FlowRunContext
    from prefect.runtime import deployment, flow_run

    context = FlowRunContext.get()
    run = context.flow_run if context else None
    began = (run.start_time if run else None) or (context.start_time if context else None)
    started = int(began.timestamp() * 1000) if began else None
    if run is None or run.deployment_id is None:
        return FlowRunOrigin(
            started, _person(), f"pedigree {context.flow.name if context and context.flow else ''}", "LOCAL"
        )
    return FlowRunOrigin(started, _starter(run), f"{flow_run.flow_name}/{deployment.name}", "JOB")


def _person() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # A container may run under a number that has no name.
        return "unknown"


def _starter(run: "FlowRun") -> str:
    """Return what of Prefect started a deployment's run; who pressed the button in its page is nowhere said."""
    if run.auto_scheduled:
        return "schedule"
    if run.name.startswith(_WATCHED):
        return "watcher"
    return (run.created_by.display_value if run.created_by else None) or "Prefect"
