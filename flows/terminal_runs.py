"""Runs in this process, at a terminal: each is tagged, sends a heartbeat, and is crashed in Prefect if it dies."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any

from prefect import Flow, tags
from prefect.client.base import ServerType
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import MissingResult
from prefect.settings import PREFECT_API_URL

from configs.environment import home
from infra.local_stack import terminal_runs
from infra.local_stack.terminal_runs import EMBEDDED

# By the first one Prefect watches over the heartbeats of our runs, as for those of deployments (infra/prefect.yaml).
_TAGS = ("pedigree", "terminal")


def run_here(flow: Flow[..., Any], *values: object, **parameters: object) -> Any:  # noqa: ANN401 - what the flow returns
    """Run a flow in this process, watched over by the watchdog of runs at a terminal.

    Args:
        flow: The flow.
        *values: Parameters by position.
        **parameters: Parameters by name.

    Returns:
        What the flow returns, or what its final state holds.
    """
    address = _guarded(PREFECT_API_URL.value())
    run_ids, returned = [], list[Any]()

    def record(_flow: Flow[..., Any], run: FlowRun, _state: State[Any]) -> None:
        run_ids.append(str(run.id))
        terminal_runs.record_run(home(), str(run.id), address)

    hooks: list[Any] = [record]
    with tags(*_TAGS):
        watched: Any = flow.with_options(on_running=hooks)
        watched.fn = _keeping(flow.fn, returned)
        state: State[Any] = watched(*values, **parameters, return_state=True)
    # A run that was interrupted, or whose end Prefect did not hear of, keeps its record for the watchdog.
    for run in run_ids:
        terminal_runs.forget_run(home(), run)
    return _result(state, returned)


def _keeping(function: Callable[..., Any], returned: list[Any]) -> Callable[..., Any]:
    """Return a flow's function that keeps what it returns."""

    @wraps(function)
    def keeping(*values: object, **parameters: object) -> object:
        returned.append(function(*values, **parameters))
        return returned[-1]

    return keeping


def _result(state: State[Any], returned: list[Any]) -> Any:  # noqa: ANN401 - what the flow returns
    """Return the result of a run.

    Where the server has taken the final state and its answer is lost, Prefect's client asks again, is given the
    server's copy of the state in place of the function's, and that copy holds no data.

    Args:
        state: The final state, as Prefect's client knows it.
        returned: What the flow's function returned, if it did.

    Returns:
        What the flow returns, or what its final state holds.

    Raises:
        MissingResult: The state holds no data, and the function did not return.
    """
    try:
        return state.result()
    except MissingResult:
        if not returned:
            raise
        return returned[-1].result() if isinstance(returned[-1], State) else returned[-1]


@cache
def _guarded(_address: str | None) -> str:
    """Start the watchdog of this process for one Prefect server, and the embedded server where there is no other.

    Returns:
        The address by which runs of this server are recorded.
    """
    with _shielded(), get_client(sync_client=True) as client:
        api, embedded = str(client.api_url).rstrip("/"), client.server_type == ServerType.EPHEMERAL
    server = _embedded_server() if embedded else None
    terminal_runs.crash_dead_runs(home(), api, embedded=embedded)
    terminal_runs.start_watchdog(home(), api, server)
    return EMBEDDED if embedded else api


@contextmanager
def _shielded() -> Iterator[None]:
    """Keep Ctrl-C and a closed terminal from a server that starts inside: it has yet to hear how the run ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _embedded_server() -> int:
    from prefect.server.api.server import SubprocessASGIServer

    process = SubprocessASGIServer().server_process
    assert process, "the embedded server was started right now"  # noqa: S101 - a promise of Prefect's
    return process.pid
