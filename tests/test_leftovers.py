"""Servers of tests: none outlives the run that started it, and one that does not start says why."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.leftovers import MARK, marked
from tests.servers import CEPH_PROGRAMS, ROOT, ceph_server, missing_programs, wait_until

# A run that starts a server, writes down the mark that its processes bear, and waits.
PROGRAM = """
import os, sys
from pathlib import Path
from threading import Event
from tests import servers
from tests.leftovers import MARK, end_with_this_process

end_with_this_process()
with servers.{server}(Path(sys.argv[2])):
    Path(sys.argv[1]).write_text(os.environ[MARK])
    Event().wait()
"""


@pytest.mark.parametrize("server", ["ceph_server", "prefect_server"])
def test_no_server_outlives_its_run(server: str, tmp_path: Path) -> None:
    """Also where a run is killed and cannot end what it started, that ends with it."""
    if server == "ceph_server" and (missing := missing_programs(CEPH_PROGRAMS)):
        pytest.skip(f"a real S3 server needs {', '.join(missing)}")
    file, folder = tmp_path / "mark", tmp_path / "server"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    command = [sys.executable, "-c", PROGRAM.format(server=server), str(file), str(folder)]
    with subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True) as run:  # noqa: S603 - this very Python
        mark = wait_until(lambda: file.read_text() if file.exists() else "", 200, "the server")
        assert len(marked(mark)) > 0
        os.killpg(run.pid, signal.SIGKILL)
    wait_until(lambda: not marked(mark), 60, "the end of all that the run started")


def test_a_ceph_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is tried once more, and both times its words are shown."""
    calls, programs = tmp_path / "calls", tmp_path / "programs"
    programs.mkdir()
    (programs / "monmaptool").write_text(
        f'#!/bin/sh\necho again >> "{calls}"\necho "no room for a monitor" >&2\nexit 1\n'
    )
    (programs / "monmaptool").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    with pytest.raises(RuntimeError, match="no room for a monitor"), ceph_server(tmp_path):
        pass
    assert "no room for a monitor" in capsys.readouterr().err
    assert calls.read_text().split() == ["again", "again"]
