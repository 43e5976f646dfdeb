"""The local stack with real servers: it starts, deploys, runs nights through its worker, and stops for good."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import psutil
import pytest
from PIL import Image
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL, temporary_settings

from configs.fields import leaves
from configs.load import parse, resolve
from configs.schema import Settings
from infra import stack
from infra.deployments import ONE_RETRAINING, parameters
from tasks.reports.approval import approval_form
from tests.browser import needs_chromium, open_page
from tests.servers import ROOT, answers, wait_until

_NIGHT = 180  # seconds that one small night may take on a busy machine


@dataclass(frozen=True, slots=True)
class Running:
    """The stack under test, its folder, and what it was deployed with."""

    home: Path
    settings: Settings
    status: stack.Status
    prefect: SyncPrefectClient

    @property
    def nightly(self) -> DeploymentResponse:
        """The deployment as the server knows it."""
        return self.prefect.read_deployment_by_name(stack.DEPLOYMENT)

    def begin(self) -> FlowRun:
        """Start the nightly run by hand."""
        return self.prefect.create_flow_run_from_deployment(self.nightly.id)

    def begin_endless(self) -> FlowRun:
        """Start a night that trains for longer than stopping the stack may take."""
        endless = {"training_epochs": 10_000, "training_patience": 10_000, "force": True}
        return self.prefect.create_flow_run_from_deployment(self.nightly.id, parameters=endless)

    def after(self, run: FlowRun, seconds: float, *wanted: StateType) -> FlowRun:
        """Wait until a run is in one of these states, or has ended where none is named."""

        def there() -> FlowRun | None:
            now = self.prefect.read_flow_run(run.id)
            reached = now.state_type in wanted if wanted else bool(now.state and now.state.is_final())
            return now if reached else None

        found = wait_until(there, seconds, f"run {run.name}, see {self.home / 'stack' / 'worker.log'}")
        assert found is not None
        return found


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Make settings of a night that takes seconds: noise for photographs, a cut near the network's beginning."""
    folder, noise = tmp_path_factory.mktemp("nights"), np.random.default_rng(0)
    for number in range(36):
        place = folder / "photos" / "abc"[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        pixels = noise.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((80, 80), Image.Resampling.NEAREST).save(place / f"{number}.jpg")
    values = {
        "source": {"url": str(folder / "photos")},
        "store": {"url": str(folder / "store")},
        "dataset": {"min_images_per_class": 3},
        "backbone": {"weights": "random", "cut": "mixed0", "size": 75},
        "training": {"epochs": 2},
        # Looks go on, and find that uploads have not settled: they start no retraining that a test would meet.
        "watch": {"settle_minutes": 1440},
        "tracking": {"url": f"sqlite:///{folder / 'mlflow.db'}"},
    }
    return resolve(parse(values, "the test's settings"))


@pytest.fixture(scope="module")
def running(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start the whole stack once, where somebody already listens on its favourite ports."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, _taken(4200), _taken(5000):
        patch.setenv("AWS_ACCESS_KEY_ID", "handed down")
        try:
            status = stack.up(home, settings)
            with SyncPrefectClient(f"{_address(status, 'Prefect')}/api") as client:
                yield Running(home, settings, status, client)
        finally:
            stack.down(home)


@pytest.fixture(scope="module")
def nights(running: Running) -> tuple[FlowRun, FlowRun]:
    """Start one night by hand, and another one while it runs; wait for both."""
    first = running.begin()
    running.after(first, 60, StateType.RUNNING)
    second = running.after(running.begin(), 60)
    return running.after(first, _NIGHT), second


def test_all_parts_run_and_answer(running: Running) -> None:
    """What the command shows as running answers at the address that it shows."""
    assert [(part.name, part.state) for part in running.status.parts] == [
        ("Prefect", "running"),
        ("MLflow", "running"),
        ("worker", "running"),
    ]
    assert answers(_address(running.status, "Prefect"))
    assert answers(_address(running.status, "MLflow"))
    assert running.status.plain()["mlflow"] == {"state": "running", "address": _address(running.status, "MLflow")}


def test_a_taken_port_is_left_to_whom_it_belongs(running: Running) -> None:
    """Another program on the favourite port is neither disturbed nor taken for ours."""
    assert not _address(running.status, "Prefect").endswith(":4200")
    assert not _address(running.status, "MLflow").endswith(":5000")


def test_starting_again_starts_nothing_twice(running: Running) -> None:
    """A second ``pedigree up`` finds everything running, and every process stays the same."""
    before = _records(running.home)
    assert stack.up(running.home, None) == running.status
    assert _records(running.home) == before


def test_the_worker_has_what_a_night_needs(running: Running) -> None:
    """A worker's run finds the home, the server and the AWS credentials of the terminal that started it."""
    environments = [one.environ() for one in _processes(running.home) if "worker" in one.cmdline()]
    assert environments
    assert environments[0]["AWS_ACCESS_KEY_ID"] == "handed down"
    assert environments[0]["PREFECT_API_URL"] == f"{_address(running.status, 'Prefect')}/api"


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
    assert nightly.parameters == parameters("nightly", running.settings)


@pytest.mark.usefixtures("nights")
@needs_chromium
def test_a_person_approves_in_the_browser(running: Running) -> None:
    """The forms start with the given store and MLflow; the link that a night shows fills in the version; it runs."""
    place = parameters("approve", running.settings)
    forms = {name: running.prefect.read_deployment_by_name(f"{name}/{name}") for name in ("approve", "rollback")}
    assert {name: form.parameters for name, form in forms.items()} == dict.fromkeys(forms, place)
    asked = forms["approve"].parameter_openapi_schema or {}
    assert set(asked["required"]) == {"store_url", "version", "why", "by"}
    with temporary_settings(updates={PREFECT_API_URL: f"{_address(running.status, 'Prefect')}/api"}):
        link = approval_form({"version": "1", **place})
    with open_page(link) as page:
        for meaning, text in (("The reason, in a sentence.", "I looked"), ("Your name.", "ann")):
            page.locator(f"//*[text()[contains(., '{meaning}')]]/following::textarea[1]").fill(text)
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url(re.compile("runs/flow-run|deployments/deployment/[0-9a-f-]+$"), timeout=60_000)
    wanted = FlowRunFilter.model_validate({"deployment_id": {"any_": [forms["approve"].id]}})
    (run,) = running.prefect.read_flow_runs(flow_run_filter=wanted)
    assert run.parameters == {**run.parameters, **place, "version": "1", "why": "I looked", "by": "ann"}
    run = running.after(run, _NIGHT)
    assert run.state
    assert run.state_name == "Promoted", run.state.message
    assert "version 1 serves" in str(run.state.message)


def test_the_scheduler_makes_nightly_runs(running: Running) -> None:
    """A scheduler that SQLAlchemy silently broke would make none, and nobody would notice until the morning."""
    wanted = FlowRunFilter.model_validate({"deployment_id": {"any_": [running.nightly.id]}})

    def scheduled() -> list[FlowRun]:
        runs = running.prefect.read_flow_runs(flow_run_filter=wanted)
        return [run for run in runs if run.state_type == StateType.SCHEDULED and run.auto_scheduled]

    runs = wait_until(scheduled, 60, "scheduled runs")
    berlin = ZoneInfo("Europe/Berlin")
    assert {run.expected_start_time.astimezone(berlin).hour for run in runs if run.expected_start_time} == {4}


def test_the_worker_completes_a_night(nights: tuple[FlowRun, FlowRun]) -> None:
    """A run that somebody starts by hand goes through server, worker and flow, and ends in a named state."""
    first, _ = nights
    assert first.state
    assert first.state_type == StateType.COMPLETED, first.state.message
    assert first.state.name in {"Promoted", "Rejected"}


def test_a_night_that_starts_during_another_is_cancelled(nights: tuple[FlowRun, FlowRun]) -> None:
    """One night at a time: the later one gives way."""
    _, second = nights
    assert second.state_type == StateType.CANCELLED


@pytest.mark.usefixtures("nights")
@needs_chromium
def test_the_run_form_shows_every_setting_and_starts_a_night(running: Running) -> None:
    """Whoever opens the form reads what each setting means, and what they change arrives as they wrote it."""
    from playwright.sync_api import expect

    page_url = f"{_address(running.status, 'Prefect')}/deployments/deployment/{running.nightly.id}/run"
    with open_page(page_url, height=4500) as page:
        expect(page.get_by_text("Name of the registered model.")).to_be_visible(timeout=60_000)
        shown = page.locator("body").inner_text()
        missing = [
            leaf.name for leaf in leaves(Settings, without=("watch",)) if str(leaf.info.description) not in shown
        ]
        assert missing == []
        page.locator("//*[text()[contains(., 'gets one run a night')]]/following::textarea[1]").fill("from the form")
        _keep(page.screenshot(animations="disabled"))
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url(re.compile("runs/flow-run|deployments/deployment/[0-9a-f-]+$"), timeout=60_000)
    wanted = FlowRunFilter.model_validate({"deployment_id": {"any_": [running.nightly.id]}})
    runs = running.prefect.read_flow_runs(flow_run_filter=wanted)
    changed = {**parameters("nightly", running.settings), "tracking_experiment": "from the form"}
    (run,) = [run for run in runs if {name: run.parameters.get(name) for name in changed} == changed]
    assert running.after(run, _NIGHT).state_type == StateType.COMPLETED


@pytest.mark.usefixtures("nights")
def test_a_night_at_a_terminal_shows_in_the_running_stack(running: Running, tmp_path: Path) -> None:
    """Whoever runs a night by hand while the stack is up finds it among its runs."""
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


@pytest.mark.usefixtures("nights")
def test_a_night_that_was_cut_off_does_not_block_the_next_one(running: Running) -> None:
    """Stopping the stack ends every process of it; after the next start the night that it ended holds no place."""
    run = running.after(running.begin_endless(), 60, StateType.RUNNING)
    assert [part.state for part in stack.down(running.home).parts] == ["stopped", "stopped", "stopped"]
    assert _processes(running.home) == []
    status = stack.up(running.home, None)
    assert _address(status, "Prefect") == _address(running.status, "Prefect")
    assert running.after(run, 10).state_type == StateType.CRASHED
    limit = running.nightly.global_concurrency_limit
    assert limit
    assert limit.active_slots == 0


def _address(status: stack.Status, name: str) -> str:
    return next(part.address for part in status.parts if part.name == name)


def _records(home: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (home / "stack").glob("*.json")}


def _processes(home: Path) -> list[psutil.Process]:
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if one.pid != os.getpid() and one.environ().get("PEDIGREE_HOME") == str(home):
                found.append(one)
    return found


def _keep(picture: bytes) -> None:
    folder = ROOT / ".ci" / "output"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run-form.png").write_bytes(picture)


def _taken(port: int) -> socket.socket:
    """Listen on a port, unless somebody else already does."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with suppress(OSError):
        listener.bind(("127.0.0.1", port))
        listener.listen()
    return listener
