"""Runs at a terminal: a watchdog beside each process sets its runs to crashed once it has died, in whatever way.

Nobody else would: a run of a deployment has a worker that reports it, while a process that is killed reports nothing,
and Prefect's embedded server outlives it. The watchdog is a program of its own session, which neither Ctrl-C nor a
closed terminal reaches. Where it died as well, as on a machine that went down, the records of runs are still there:
the next run at a terminal and ``pedigree up`` go through them.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from infra.local_stack.processes import Background, read_background, record_process, terminate

_MESSAGE = "The process of this run has died: it was killed, or its terminal was closed. The next run carries on."
_PAUSE = 0.3  # seconds between two looks whether the process is still there
_PATIENCE = 10  # seconds until a server that does not end is killed
#: The address of runs whose server is embedded in their process: they are in the database of the home's stack, too.
EMBEDDED = ""


def record_run(home: Path, run: str, address: str) -> None:
    """Record that a run works in this process.

    Args:
        home: The home folder.
        run: The flow run's id.
        address: The address of Prefect's API; ``EMBEDDED`` for the embedded server.
    """
    record_process(_folder(home) / f"{run}.json", os.getpid(), address)


def forget_run(home: Path, run: str) -> None:
    """Remove the record of a run that has ended.

    Args:
        home: The home folder.
        run: The flow run's id.
    """
    (_folder(home) / f"{run}.json").unlink(missing_ok=True)


def crash_dead_runs(home: Path, api: str, *, embedded: bool) -> None:
    """Set the runs of this home to crashed whose processes have died; a server that fails is left for the next time.

    Args:
        home: The home folder.
        api: The address of Prefect's API.
        embedded: Whether that server has the database of the home, and so the runs of embedded servers.
    """
    addresses = {api, EMBEDDED} if embedded else {api}
    for record in _folder(home).glob("*.json"):
        background = read_background(record)
        if background is None or background.alive or background.address not in addresses:
            continue
        # These imports take longer than all the rest, and next to no run dies.
        from configs.credentials import prefect_login
        from configs.errors import ServiceUnavailableError
        from infra.local_stack import health

        with suppress(OSError, ValueError, ServiceUnavailableError):
            health.crash_run(api, prefect_login(home, api), record.stem, _MESSAGE)
            record.unlink(missing_ok=True)


def start_watchdog(home: Path, api: str, server: int | None) -> None:
    """Start the watchdog of this process.

    Args:
        home: The home folder.
        api: The address of Prefect's API.
        server: The process id of the embedded server, which ends with this process; None where there is none.
    """
    # -P: a folder named infra in the current folder must not be imported.
    command = [sys.executable, "-P", "-m", "infra.local_stack.terminal_runs", str(home), api]
    record = _folder(home) / "servers" / f"{os.getpid()}.json"
    if server:
        record_process(record, server, api)
    subprocess.Popen(  # noqa: S603 - this very file
        [*command, str(os.getpid()), *([str(record)] if server else [])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def watch(home: Path, api: str, process: int, server: Path | None) -> None:
    """Wait until the process that started this one is gone, set its runs to crashed, and end its embedded server.

    Args:
        home: The home folder.
        api: The address of Prefect's API.
        process: The process id.
        server: The record of the embedded server; None where there is none.
    """
    while os.getppid() == process:
        time.sleep(_PAUSE)
    crash_dead_runs(home, api, embedded=server is not None)
    if server and (background := read_background(server)):
        _end(background)
        server.unlink(missing_ok=True)


def _end(server: Background) -> None:
    import psutil

    if server.alive:
        with suppress(psutil.NoSuchProcess):
            terminate([psutil.Process(server.pid)], _PATIENCE)


def _folder(home: Path) -> Path:
    return home / "runs"


if __name__ == "__main__":
    _home, _api, _process, *_server = sys.argv[1:]
    watch(Path(_home), _api, int(_process), Path(_server[0]) if _server else None)
