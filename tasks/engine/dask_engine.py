"""The engine of many workers: Dask hands items to workers, and does again what a worker that died had at work."""

import atexit
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from configs.errors import ServiceUnavailableError
from configs.sections import Scale
from tasks.engine.dask_cluster import connect
from tasks.engine.dask_dispatch import Dispatch
from tasks.engine.engine import OnReport, Task, Tell, even_share
from tasks.engine.worker import UnlikeWorkerError, check_code, describe_worker, running_code

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# Seconds for a scheduler to take leave.
_FAREWELL = 10
# The most letters of what somebody else's Python says.
_REASON = 100
_connected: dict[Scale, "DaskEngine"] = {}


@dataclass
class DaskEngine:
    """Hands tasks to the workers of a cluster."""

    client: "Client"
    scale: Scale
    tell: Tell
    remote: bool = True

    @property
    def dashboard(self) -> str:
        """Return the address of Dask's own page about its workers."""
        with suppress(Exception):
            return str(self.client.dashboard_link or "")
        return ""

    def divide(self, images: int, lighter: int = 1) -> int:
        """Return how many images one item holds, so that no worker waits while others have all the work.

        Args:
            images: How many there are.
            lighter: How many times faster the work on an image is than embedding it.

        Returns:
            The number, at most a batch.
        """
        return even_share(images, self.scale.batch * lighter, self.count_workers() * self.scale.in_flight)

    def count_workers(self) -> int:
        """Return how many workers the scheduler has now; 0 too where it does not answer."""
        try:
            return int(self.client.scheduler_info(n_workers=0)["n_workers"])
        except (OSError, RuntimeError, ValueError):
            return 0

    def addresses(self) -> list[str]:
        """Return the addresses of all workers."""
        return list(self.client.scheduler_info()["workers"])

    def check_workers(self) -> None:
        """Wait for the first worker, and check that each runs the code of this run.

        Raises:
            ServiceUnavailableError: No worker came in time.
            UnlikeWorkerError: One runs other code.
        """
        try:
            self.client.wait_for_workers(1, timeout=self.scale.wait)
        except TimeoutError:
            raise ServiceUnavailableError(self.no_worker()) from None
        expected = running_code()
        try:
            check_code("scheduler", self.client.run_on_scheduler(running_code), expected)
        except (ImportError, AttributeError) as error:
            raise UnlikeWorkerError(_other_code("scheduler", error)) from None
        for address, answer in self.client.run(describe_worker, on_error="return").items():
            if isinstance(answer, ImportError | AttributeError):
                raise UnlikeWorkerError(_other_code(f"worker at {address}", answer))
            if isinstance(answer, tuple):
                check_code(f"worker {answer[0]}", answer[1], expected)

    def map(
        self, task: Task[Item, Answer], items: Iterable[Item], on_report: OnReport
    ) -> Generator[tuple[Item, Answer], None, None]:
        """Do a task on each item.

        Args:
            task: What is done.
            items: On what; only as many are read as are in flight.
            on_report: Takes how far each item has come.

        Yields:
            Each item with its answer, as they are ready.
        """
        with Dispatch(self, task, on_report) as dispatch:
            yield from dispatch.answers(enumerate(items))

    def check_scheduler(self) -> None:
        """Check that the scheduler is there; raise ServiceUnavailableError otherwise."""
        if self.client.status != "running":
            raise ServiceUnavailableError(
                f"The Dask scheduler {self.scale.scheduler or 'on this machine'} is gone: what was committed is kept; "
                "start it, and run again."
            )

    def close(self) -> None:
        """Let go of the cluster; workers that this process started end."""
        # A scheduler that is gone cannot be told.
        with suppress(Exception):
            cluster = self.client.cluster
            self.client.close(timeout=_FAREWELL)
            if cluster is not None:
                cluster.close(timeout=_FAREWELL)

    def no_worker(self) -> str:
        """Return the sentence for a cluster without workers."""
        address = self.scale.scheduler or "on this machine"
        return (
            f"The Dask scheduler {address} has had no worker for {self.scale.wait} seconds: start workers, or set "
            "scale.engine to local; what was committed is kept."
        )


def connected_engine(scale: Scale, tell: Tell) -> DaskEngine:
    """Return the engine of a cluster, connected once in this process: workers that stay have loaded all they need.

    Args:
        scale: Names the cluster.
        tell: Takes lines for people.

    Returns:
        The engine, with one worker at least.
    """
    engine = _connected.get(scale)
    if engine is None or engine.client.status != "running":
        engine = DaskEngine(connect(scale, tell), scale, tell)
        _connected[scale] = engine
        atexit.register(engine.close)
        if engine.dashboard:
            tell(f"Dask's workers can be watched at {engine.dashboard}")
    engine.tell = tell
    engine.check_workers()
    return engine


def _other_code(who: str, error: BaseException) -> str:
    reason = f"{type(error).__name__}: {str(error)[:_REASON]}"
    return f"The Dask {who} has no Pedigree, or another one ({reason}): install the same there, and run again."
