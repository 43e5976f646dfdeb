"""Ending what a test run leaves behind: however it ends, no server that it started goes on without it.

Every process below a run bears the run's mark in its environment. A guard, which Ctrl-C and signals to the run do not
reach, waits until the run has ended and then ends whatever still bears that mark.
"""

import os
import subprocess
import sys
import uuid
from contextlib import suppress

import psutil

from infra.local_stack.processes import terminate as processes_end

MARK = "PEDIGREE_TEST_RUN"
_PATIENCE = 10  # seconds until what was asked to end is killed
_ROUNDS = 5  # what is ending may have started something else meanwhile
_guards: list[subprocess.Popen[bytes]] = []


def end_with_this_process() -> None:
    """Let a guard end all that this process starts from now on, once it has ended itself; a run has one guard."""
    if MARK in os.environ:
        return
    mark = uuid.uuid4().hex
    # The pipe closes when this process ends, in whatever way.
    command = [sys.executable, "-m", "tests.leftovers", mark]
    _guards.append(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))  # noqa: S603 - this very file
    os.environ[MARK] = mark


def marked(mark: str) -> list[psutil.Process]:
    """Return the processes that bear a run's mark."""
    return [process for process in psutil.process_iter() if _mark_of(process) == mark]


def end(mark: str) -> None:
    """End whatever bears the mark, and kill what does not follow."""
    for _ in range(_ROUNDS):
        processes = marked(mark)
        if not processes:
            return
        processes_end(processes, _PATIENCE)


def _mark_of(process: psutil.Process) -> str | None:
    with suppress(psutil.Error, OSError):
        return process.environ().get(MARK)
    return None


if __name__ == "__main__":
    sys.stdin.buffer.read()
    end(sys.argv[1])
