"""The local stack with real servers: it starts, deploys, executes runs in its worker, and stops for good."""

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import psutil
import pytest
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelling

from configs.servers import ONE_RETRAINING
from infra import stack
from infra.local_stack import health, servers
from infra.orchestration.forms import fill_parameters
from tests.browser import log_in, needs_chromium, open_page
from tests.infra.journey import Journey
from tests.infra.running import RUN_SECONDS, Running, address
from tests.servers import wait_until


def test_all_parts_run_and_answer(running: Running) -> None:
    """What the command shows as running answers at the address that it shows."""
    assert [(part.name, part.state) for part in running.status.parts] == [
        ("Prefect", "running"),
        ("MLflow", "running"),
        ("worker", "running"),
        ("service", "running"),
    ]
    assert health.responds(address(running.status, "Prefect"))
    assert health.responds(address(running.status, "MLflow"))
    assert running.status.to_dict()["mlflow"] == {"state": "running", "address": address(running.status, "MLflow")}


def test_a_taken_port_is_left_to_whom_it_belongs(running: Running) -> None:
    """Another program on the favourite port is neither disturbed nor taken for ours."""
    for name, port in (("Prefect", servers.PREFECT_PORT), ("MLflow", servers.MLFLOW_PORT)):
        assert urlsplit(address(running.status, name)).port in range(port + 1, port + 100)


def test_starting_again_starts_nothing_twice(running: Running) -> None:
    """A second ``pedigree up`` finds everything running, and every process stays the same."""
    before = _records(running.home)
    assert stack.up(running.home, None) == running.status
    assert _records(running.home) == before


def test_the_worker_has_what_a_run_needs(running: Running) -> None:
    """A worker's run finds the home, the server and the AWS credentials of the terminal that started it."""
    environments = [process.environ() for process in _processes(running.home) if "worker" in process.cmdline()]
    assert environments
    assert environments[0]["AWS_ACCESS_KEY_ID"] == "handed down"
    assert environments[0]["PREFECT_API_URL"] == f"{address(running.status, 'Prefect')}/api"


def test_the_nightly_deployment_is_what_prefect_yaml_says(running: Running) -> None:
    """It runs at four, in a named time zone, one at a time with every other retraining, with the given settings."""
    nightly = running.nightly
    (schedule,) = nightly.schedules
    assert schedule.schedule.model_dump(include={"cron", "timezone"}) == {
        "cron": "0 4 * * *",
        "timezone": "Europe/Berlin",
    }
    assert nightly.concurrency_options
    assert nightly.concurrency_options.collision_strategy.value == "CANCEL_NEW"
    assert nightly.global_concurrency_limit
    assert (nightly.global_concurrency_limit.name, nightly.global_concurrency_limit.limit) == (ONE_RETRAINING, 1)
    assert nightly.parameters == fill_parameters("nightly", running.settings)


def test_the_scheduler_makes_nightly_runs(running: Running) -> None:
    """A scheduler that SQLAlchemy silently broke would make none, and nobody would notice until the morning."""
    chosen = FlowRunFilter.model_validate({"deployment_id": {"any_": [running.nightly.id]}})

    def scheduled() -> list[FlowRun]:
        runs = running.prefect.read_flow_runs(flow_run_filter=chosen)
        return [run for run in runs if run.state_type == StateType.SCHEDULED and run.auto_scheduled]

    runs = wait_until(scheduled, 60, "scheduled runs")
    berlin = ZoneInfo("Europe/Berlin")
    assert {run.expected_start_time.astimezone(berlin).hour for run in runs if run.expected_start_time} == {4}


def test_the_worker_completes_a_run(runs: tuple[FlowRun, FlowRun]) -> None:
    """A run that somebody starts by hand goes through server, worker and flow, and ends in a named state."""
    first, _ = runs
    assert first.state
    assert first.state_type == StateType.COMPLETED, first.state.message
    assert first.state.name in {"Promoted", "Rejected"}


@pytest.mark.usefixtures("runs")
def test_the_service_answers_by_what_a_run_promoted(running: Running) -> None:
    """Started before there was any model, it serves the champion of the settings' store without being told."""
    service = address(running.status, "service")
    wait_until(lambda: not health.why_not_ready(service), RUN_SECONDS, "the service's first model")
    with urllib.request.urlopen(f"{service}/version", timeout=30) as answer:  # noqa: S310 - our own server
        assert json.loads(answer.read())["model"]["name"] == running.settings.tracking.model
    assert stack.make_login_links(running.home)["service"] == service


def test_a_run_that_starts_during_another_is_cancelled(runs: tuple[FlowRun, FlowRun]) -> None:
    """One run at a time: the later one gives way."""
    _, second = runs
    assert second.state_type == StateType.CANCELLED


@pytest.mark.usefixtures("runs")
@needs_chromium
@pytest.mark.timeout(600)
def test_a_person_retrains_compares_and_approves_in_the_browser(running: Running) -> None:
    """From the form by the run, its progress and its summary to MLflow, the comparison with the run before, and back.

    Every setting's meaning stands in the form, and what is changed there arrives; the link that a run shows fills in
    the form which promotes what waited.
    """
    with open_page("about:blank", height=1400) as page:
        log_in(page, stack.make_login_links(running.home))
        journey = Journey(page, running)
        run = journey.fill_in_the_form()
        journey.watch_its_progress(run)
        assert running.after(run, RUN_SECONDS).state_name == "Needs approval"
        journey.read_the_summary(run)
        journey.compare_in_mlflow()
        approved = running.after(journey.approve(run), RUN_SECONDS)
    assert approved.state
    assert approved.state_name == "Promoted", approved.state.message


@pytest.mark.usefixtures("runs")
def test_a_cancelled_run_ends_at_once(running: Running) -> None:
    """Who cancels a run in the middle of its training sees it end in seconds, and no process of it is left."""
    run = running.begin_endless()
    running.reached(run, "train")
    running.prefect.set_flow_run_state(run.id, Cancelling())
    assert running.after(run, 60).state_type == StateType.CANCELLED
    wait_until(lambda: not _of_run(running.home, run), 30, "the end of the cancelled run's processes")


@pytest.mark.usefixtures("runs")
def test_a_run_at_a_terminal_shows_in_the_running_stack(running: Running, tmp_path: Path) -> None:
    """Whoever starts a run by hand while the stack is up finds it among its runs."""
    file = tmp_path / "settings.yaml"
    file.write_text(running.settings.model_dump_json())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [str(Path(sys.executable).with_name("pedigree")), "retrain", "-c", str(file), "--json"]
    before = {run.id for run in running.prefect.read_flow_runs()}
    done = subprocess.run(  # noqa: S603 - our own command line
        command, env={**environment, "PEDIGREE_HOME": str(running.home)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (run,) = [run for run in running.prefect.read_flow_runs() if run.id not in before and run.deployment_id is None]
    assert run.state_name == json.loads(done.stdout)["status"].title()


@pytest.mark.usefixtures("runs")
def test_a_run_that_was_cut_off_does_not_block_the_next_one(running: Running) -> None:
    """Stopping the stack ends every process of it; after the next start the run that it ended holds no place."""
    run = running.after(running.begin_endless(), 60, StateType.RUNNING)
    assert {part.state for part in stack.down(running.home).parts} == {"stopped"}
    assert _processes(running.home) == []
    status = stack.up(running.home, None)
    assert address(status, "Prefect") == address(running.status, "Prefect")
    assert running.after(run, 10).state_type == StateType.CRASHED
    limit = running.nightly.global_concurrency_limit
    assert limit
    assert limit.active_slots == 0


def _records(home: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (home / "stack").glob("*.json")}


def _processes(home: Path) -> list[psutil.Process]:
    processes = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("PEDIGREE_HOME") == str(home):
                processes.append(process)
    return processes


def _of_run(home: Path, run: FlowRun) -> list[psutil.Process]:
    processes = []
    for process in _processes(home):
        with suppress(psutil.Error):
            if process.environ().get("PREFECT__FLOW_RUN_ID") == str(run.id):
                processes.append(process)
    return processes
