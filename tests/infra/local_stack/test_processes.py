"""Background programs: found again, ended with all they began, and nothing else ended."""

import json
import os
import sys
from pathlib import Path

import psutil
import pytest

from infra.local_stack import processes
from tests.servers import wait_until

_PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=len(sys.argv) > 2)
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(600)
"""


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Where a started program is written down."""
    return tmp_path / "stack" / "program.json"


def _start(record: Path, output: Path, *more: str) -> int:
    """Start a program that starts another one; return the other one's process id."""
    processes.start(record, [sys.executable, "-c", _PARENT, str(output), *more], os.environ, "somewhere")
    return int(wait_until(lambda: output.exists() and output.read_text(), 20, "the child's process id"))


def test_a_started_program_is_found_again(record: Path, tmp_path: Path) -> None:
    """Another process learns from the file that the program runs and what it serves."""
    _start(record, tmp_path / "child")
    process = processes.read_background(record)
    assert process is not None
    assert (process.alive, process.address) == (True, "somewhere")
    processes.stop(record)
    assert (process.alive, record.exists()) == (False, False)


@pytest.mark.parametrize("more", [[], ["a session of its own"]])
def test_stopping_ends_what_the_program_began(record: Path, tmp_path: Path, more: list[str]) -> None:
    """No child survives, even one that left the program's session, as a worker's runs do."""
    child = _start(record, tmp_path / "child", *more)
    processes.stop(record)
    assert not psutil.pid_exists(child)


def test_stopping_ends_what_a_dead_program_left_behind(record: Path, tmp_path: Path) -> None:
    """A server that was killed may leave a helper that holds its port."""
    child = _start(record, tmp_path / "child")
    process = processes.read_background(record)
    assert process is not None
    parent = psutil.Process(process.pid)
    parent.kill()
    wait_until(lambda: not process.alive, 10, "the end of the program")
    processes.stop(record)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_process_id_that_was_given_again_is_left_alone(record: Path) -> None:
    """Only the process that began at the recorded time is ours: this very test survives."""
    record.parent.mkdir()
    record.write_text(json.dumps({"pid": os.getpid(), "started": 1.0, "address": ""}))
    process = processes.read_background(record)
    assert process is not None
    assert not process.alive
    processes.stop(record)


def test_a_damaged_record_is_no_program(record: Path) -> None:
    """A machine that lost power while writing leaves half a file, and the stack starts all the same."""
    record.parent.mkdir()
    record.write_text('{"pid": 1')
    assert processes.read_background(record) is None
    processes.stop(record)
