"""Runs at a terminal that are killed, by whatever signal, or of whose end Prefect's answer is lost."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Completed, Running

from configs.environment import home
from configs.load import parse_settings, resolve
from flows.runner import run_watch
from infra.local_stack.terminal_runs import EMBEDDED, crash_dead_runs
from tasks.stores.objects.object_store import open_bucket
from tests.servers import ROOT, PrefectServer, wait_until
from tests.tls import losing_answers

# The command line as a user runs it, which stops for good when the source has been listed. Tests may run under nohup,
# whose children would ignore a closed terminal.
COMMAND = """
import signal, sys, threading
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from tasks.stores.tables.snapshots import SnapshotStore
def stop(*_arguments):
    print("it works", flush=True)
    threading.Event().wait()
SnapshotStore.record = stop
from flows.cli.app import app
app(sys.argv[1:])
"""


@flow
def _run() -> None:
    """Stand for a run: only its states matter here."""


@contextmanager
def retraining(folder: Path, api: str) -> Iterator[subprocess.Popen[str]]:
    """Run a retraining that works until it is killed, in a session of its own, as a terminal starts it."""
    (folder / "photos" / "a").mkdir(parents=True)
    (folder / "photos" / "a" / "1.jpg").write_bytes(b"a picture")
    values = {"source": {"url": str(folder / "photos")}, "store": {"url": str(folder / "store")}}
    (folder / "settings.yaml").write_text(json.dumps(values))
    paths = {"PEDIGREE_HOME": str(folder / "home"), "PREFECT_HOME": str(folder / "home" / "prefect")}
    environment = {**os.environ, **paths, "PREFECT_API_URL": api, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", COMMAND, "retrain", "-c", str(folder / "settings.yaml")]
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "it works\n", (folder / "errors").read_text()
        yield process


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGHUP])
def test_a_killed_run_takes_its_embedded_server_along(tmp_path: Path, deadly: signal.Signals) -> None:
    """Killed alone or with its whole terminal, the run is crashed in the home's database, and no process is left."""
    with retraining(tmp_path, "") as process:
        family = psutil.Process(process.pid).children(recursive=True)
        assert any("uvicorn" in " ".join(relative.cmdline()) for relative in family)
        if deadly == signal.SIGHUP:
            os.killpg(process.pid, deadly)
        else:
            process.send_signal(deadly)
    wait_until(lambda: not any(map(psutil.Process.is_running, family)), 60, f"the end of {family}")
    with sqlite3.connect(tmp_path / "home" / "prefect" / "prefect.db") as database:
        rows = database.execute("select state_type, tags from flow_run").fetchall()
    assert [(state, sorted(json.loads(tags))) for state, tags in rows] == [("CRASHED", ["pedigree", "terminal"])]


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGHUP])
def test_a_killed_run_is_crashed_on_the_server(
    tmp_path: Path, prefect_server: PrefectServer, deadly: signal.Signals
) -> None:
    """A run of a server that lives on is crashed there and says why; its record is gone."""
    with SyncPrefectClient(prefect_server.api_url) as client, retraining(tmp_path, prefect_server.api_url) as process:
        (record,) = (tmp_path / "home" / "runs").glob("*.json")
        chosen = FlowRunFilter.model_validate({"id": {"any_": [record.stem]}})
        (run,) = client.read_flow_runs(flow_run_filter=chosen)
        assert (run.state_type, sorted(run.tags)) == (StateType.RUNNING, ["pedigree", "terminal"])
        os.killpg(process.pid, deadly)
        process.wait(60)

        def crashed() -> FlowRun | None:
            current = client.read_flow_run(run.id)
            return current if current.state_type == StateType.CRASHED else None

        ended = wait_until(crashed, 60, "the dead run to be crashed")
        assert ended
        assert ended.state
        assert "its terminal was closed" in str(ended.state.message)
    wait_until(lambda: not record.exists(), 60, "the end of the record")


def test_what_no_watchdog_saw_is_crashed_later(prefect_server: PrefectServer) -> None:
    """Records of dead processes are gone through: runs that had not ended are crashed, of whichever server they were.

    Runs of embedded servers are only looked for on a server that has the home's database; unknown ones are forgotten.
    """
    folder, api = home() / "runs", prefect_server.api_url
    folder.mkdir(exist_ok=True)
    with SyncPrefectClient(api) as client:
        states: dict[str, State[Any]] = {
            "ours": Running(),
            "embedded": Running(),
            "ended": Completed(),
            "other": Running(),
        }
        runs = {name: client.create_flow_run(_run, state=state) for name, state in states.items()}
        addresses = {"ours": api, "embedded": EMBEDDED, "ended": api, "other": "http://127.0.0.1:1/api"}
        for name, run in runs.items():
            dead = {"pid": os.getpid(), "started": 0, "address": addresses[name]}
            (folder / f"{run.id}.json").write_text(json.dumps(dead))

        def current() -> dict[str, object]:
            return {name: client.read_flow_run(run.id).state_type for name, run in runs.items()}

        crash_dead_runs(home(), api, embedded=False)
        assert [name for name, state in current().items() if state == StateType.CRASHED] == ["ours"]
        crash_dead_runs(home(), api, embedded=True)
        assert [name for name, state in current().items() if state == StateType.CRASHED] == ["ours", "embedded"]
        assert current()["ended"] == StateType.COMPLETED
        assert [path.stem for path in folder.glob("*.json")] == [str(runs["other"].id)]
        (folder / f"{runs['other'].id}.json").unlink()


def test_a_lost_answer_to_the_final_state_loses_no_result(
    prefect_server: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that the server has completed says how it ended, though the server's answer never came.

    Prefect's client sends the final state again, is refused, and is given the server's copy, which holds no data.
    """
    open_bucket(str(tmp_path / "photos")).create("a/1.jpg", b"a picture")
    values = {"source": {"url": str(tmp_path / "photos")}, "store": {"url": str(tmp_path / "store")}}
    with losing_answers(prefect_server.url, b'"COMPLETED"') as (address, lost):
        monkeypatch.setenv("PREFECT_API_URL", f"{address}/api")
        # The log is sent in the background, and would still be on its way when nobody hands it on any more.
        with temporary_settings(updates={PREFECT_API_URL: f"{address}/api", PREFECT_LOGGING_TO_API_ENABLED: False}):
            assert run_watch(resolve(parse_settings(values, "test"))).why.startswith("1 new image")
    assert [request.rpartition("/")[2] for request in lost] == ["set_state"]
