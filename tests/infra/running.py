"""The stack under test, as tests of it speak of it."""

from dataclasses import dataclass
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse

from configs.credentials import local_login
from configs.schema import Settings
from infra import stack
from tests.servers import wait_until

RUN_SECONDS = 180  # seconds that one small run may take on a busy machine


def address(status: stack.Status, name: str) -> str:
    """Name the address of one part of the stack."""
    return next(part.address for part in status.parts if part.name == name)


@dataclass(frozen=True, slots=True)
class Running:
    """The stack under test, its folder, and what it was deployed with."""

    home: Path
    settings: Settings
    status: stack.Status
    prefect: SyncPrefectClient

    @property
    def login(self) -> str:
        """The name and password that let the stack's owner in."""
        return local_login(self.home, self.address)

    @property
    def nightly(self) -> DeploymentResponse:
        """The deployment as the server knows it."""
        return self.prefect.read_deployment_by_name("retrain/nightly")

    @property
    def address(self) -> str:
        """The address of Prefect's pages."""
        return address(self.status, "Prefect")

    def begin(self) -> FlowRun:
        """Start the nightly run by hand."""
        return self.prefect.create_flow_run_from_deployment(self.nightly.id)

    def begin_endless(self) -> FlowRun:
        """Start a run that trains for longer than stopping the stack may take."""
        endless = {
            "training_method": "fine-tune",
            "fine_tuning_from_block": "mixed0",
            "fine_tuning_epochs": 10_000,
            "force": True,
        }
        return self.prefect.create_flow_run_from_deployment(self.nightly.id, parameters=endless)

    def reached(self, run: FlowRun, step: str) -> None:
        """Wait until a run has begun this step."""
        chosen = TaskRunFilter.model_validate({"name": {"like_": step}})

        def has_begun() -> bool:
            return any(
                task_run.flow_run_id == run.id for task_run in self.prefect.read_task_runs(task_run_filter=chosen)
            )

        wait_until(has_begun, RUN_SECONDS, f"the step {step} of run {run.name}")

    def shows(self, run: FlowRun, key: str) -> None:
        """Wait until a run has an artifact of this key."""
        chosen = ArtifactFilter.model_validate({"flow_run_id": {"any_": [run.id]}, "key": {"any_": [key]}})
        wait_until(
            lambda: self.prefect.read_artifacts(artifact_filter=chosen), RUN_SECONDS, f"artifact {key} of {run.name}"
        )

    def after(self, run: FlowRun, seconds: float, *states: StateType) -> FlowRun:
        """Wait until a run is in one of these states, or has ended where none is named."""

        def is_there() -> FlowRun | None:
            current = self.prefect.read_flow_run(run.id)
            reached = current.state_type in states if states else bool(current.state and current.state.is_final())
            return current if reached else None

        ended = wait_until(is_there, seconds, f"run {run.name}, see {self.home / 'stack' / 'worker.log'}")
        assert ended is not None
        return ended
