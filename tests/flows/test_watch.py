"""Deployments, looks and the one retraining at a time, on a real Prefect server without a worker."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.concurrency.sync import concurrency
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Crashed, Pending, Running, Scheduled

from configs import schema
from configs.errors import PedigreeError
from configs.load import fill_form, parse_settings, resolve
from configs.schema import Settings
from configs.servers import ONE_RETRAINING
from flows.decorators import one_at_a_time
from flows.runner import poll_repeatedly, run_watch
from infra.orchestration.deployments import deploy_to_server
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.objects.s3_client import queue_client
from tasks.stores.store import Store
from tests.e2e.test_retrain import COMMAND
from tests.listings import in_columns
from tests.servers import ROOT, PrefectServer, wait_until
from tests.sqs_stub import sqs_server

POOL = "kubernetes"
LATE = 12


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Watch a folder with two complete classes, which nobody has learned from."""
    folder = tmp_path_factory.mktemp("watched")
    for number in range(6):
        open_bucket(str(folder / "photos")).create(f"{'ab'[number % 2]}/{number}.jpg", b"a picture")
    values = {
        "source": {"url": str(folder / "photos")},
        "store": {"url": str(folder / "store")},
        "dataset": {"min_images_per_class": 3},
        "watch": {"settle_minutes": 0},
    }
    return resolve(parse_settings(values, "test"))


@pytest.fixture(scope="module")
def client(_prefect: PrefectServer) -> Iterator[SyncPrefectClient]:
    """Talk to the server, on which no retraining of another test works any more."""
    with SyncPrefectClient(_prefect.api_url) as client:
        at_work = FlowRunFilter.model_validate({"state": {"type": {"any_": ["PENDING", "RUNNING"]}}})
        for run in client.read_flow_runs(flow_run_filter=at_work):
            client.set_flow_run_state(run.id, Crashed(), force=True)
        yield client


@pytest.fixture(scope="module")
def deployed(
    client: SyncPrefectClient, settings: Settings, _prefect: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, UUID]]:
    """Deploy everything as one does elsewhere, for a Kubernetes pool; afterwards nothing of it is left."""
    job = json.loads((ROOT / "infra" / "kubernetes" / "pool.json").read_text())
    client.create_work_pool(WorkPoolCreate(name=POOL, type="kubernetes", base_job_template=job), overwrite=True)
    with pytest.MonkeyPatch.context() as patch, temporary_settings(updates={PREFECT_API_URL: _prefect.api_url}):
        patch.setenv("PREFECT_API_URL", _prefect.api_url)
        names, _ = deploy_to_server(tmp_path_factory.mktemp("home"), settings, POOL)
    deployments = {name.name: name.id for name in client.read_deployments() if name.work_pool_name == POOL}
    assert set(deployments) == set(names)
    yield deployments
    for deployment in deployments.values():
        client.delete_deployment(deployment)


@flow(name="retrain")
def _retrain() -> None:
    """Stand for a retraining: only its states matter here."""


@flow(name="watch")
def _watch() -> None:
    """Stand for a poll: only its states matter here."""


def runs(client: SyncPrefectClient, deployment: UUID) -> list[FlowRun]:
    """List the runs of a deployment that somebody or something started, not the scheduler."""
    chosen = FlowRunFilter.model_validate({"deployment_id": {"any_": [deployment]}})
    return [run for run in client.read_flow_runs(flow_run_filter=chosen, limit=200) if not run.auto_scheduled]


@pytest.mark.usefixtures("client", "prefect_server")
def test_without_a_deployment_a_look_says_what_to_do(settings: Settings) -> None:
    """A watcher that has nothing to start says so in one sentence."""
    with pytest.raises(PedigreeError, match=r"pedigree up -c FILE makes it here, pedigree deploy elsewhere\.$"):
        run_watch(settings)


@pytest.mark.usefixtures("prefect_server")
def test_a_look_starts_one_retraining_whatever_woke_it(
    client: SyncPrefectClient, deployed: dict[str, UUID], settings: Settings
) -> None:
    """Looks that see the same start one run; once that is answered, a look starts none, whatever events tell."""
    first, second = run_watch(settings), run_watch(settings)
    assert first.state == second.state == "Started", (first, second)
    (run,) = runs(client, deployed["retrain"])
    assert run.name in first.why
    assert run.name in second.why
    assert run.parameters == {**fill_form(settings, "watch")}

    client.set_flow_run_state(run.id, Pending())
    assert run_watch(settings).why == f"the retraining {run.name} works, and the next look goes on from it"
    client.set_flow_run_state(run.id, Completed())
    assert run_watch(settings).why == f"the retraining {run.name} of the same images ended Completed: see there"

    listed = in_columns(open_bucket(settings.source.url).entries())
    Store(settings.store.url).snapshots.record(settings.source.url, "2026-11-25T02:00:00+00:00", listed)
    Store(settings.store.url).processed_snapshots.write(settings.source.url, "2026-11-25T02:00:00+00:00", "promoted")
    assert run_watch(settings).state == "Nothing new"
    for _ in "ab":
        event = {"id": str(uuid4()), "occurred": datetime.now(UTC).isoformat(), "event": "pedigree.uploaded"}
        resource = {"prefect.resource.id": "pedigree.source.photos"}
        client.request("POST", "/events", json=[{**event, "resource": resource}]).raise_for_status()
    wait_until(lambda: runs(client, deployed["watch"]), 60, "a look that an event asked for")
    assert run_watch(settings).state == "Nothing new"
    assert [run.id for run in runs(client, deployed["retrain"])] == [run.id]


@pytest.mark.usefixtures("prefect_server", "deployed")
def test_a_look_waits_for_no_dead_retraining(client: SyncPrefectClient, settings: Settings, tmp_path: Path) -> None:
    """A retraining at a terminal works as long as somebody holds the limit; a dead one loses its hold, and counts not.

    One of a deployment always counts: its worker reports how it ends.
    """
    elsewhere = settings.model_copy(update={"store": schema.Store(url=str(tmp_path / "store"))})
    run = client.create_flow_run(_retrain, name="at a terminal", state=Running())
    with concurrency(ONE_RETRAINING):
        assert "the retraining at a terminal works" in run_watch(elsewhere).why
    poll_result = run_watch(elsewhere)
    assert poll_result.state == "Started", poll_result
    name = poll_result.why.rpartition("retraining ")[2]
    # Another test's retraining of the same minute has the same name.
    by_name = FlowRunFilter.model_validate({"name": {"any_": [name]}})
    started, *_ = client.read_flow_runs(flow_run_filter=by_name, sort=FlowRunSort.EXPECTED_START_TIME_DESC)
    client.set_flow_run_state(started.id, Running(), force=True)
    assert f"the retraining {name} works" in run_watch(elsewhere).why
    for dead in (run, started):
        client.set_flow_run_state(dead.id, Crashed(), force=True)


@pytest.mark.usefixtures("prefect_server")
def test_the_list_of_runs_is_short_and_has_names(
    client: SyncPrefectClient, deployed: dict[str, UUID], settings: Settings, tmp_path: Path
) -> None:
    """Of polls with nothing to say the last one is left, others stay; a scheduled run is named by what starts it when.

    The name that a person gave stays.
    """
    elsewhere = settings.model_copy(
        update={"store": schema.Store(url=str(tmp_path / "store")), "dataset": schema.Dataset()}
    )
    telling = client.create_flow_run(_watch, tags=["pedigree"], state=Completed(name="Vanished"))
    due: State[Any] = Scheduled(scheduled_time=datetime(2031, 2, 3, 4, 5, tzinfo=UTC))
    nameless = client.create_flow_run_from_deployment(deployed["nightly"], name="fuzzy-ant", state=due)
    named = client.create_flow_run_from_deployment(deployed["nightly"], name="Ann's try", state=due)
    for _ in "ab":
        assert run_watch(elsewhere).state == "Not yet"
    watching = FlowFilter.model_validate({"name": {"any_": ["watch"]}})
    ended = FlowRunFilter.model_validate({"state": {"type": {"any_": ["COMPLETED"]}}})
    left = [run.state_name for run in client.read_flow_runs(flow_filter=watching, flow_run_filter=ended)]
    assert sorted(str(name) for name in left if name != "Started") == ["Not yet", "Vanished"]
    assert client.read_flow_run(nameless.id).name == "nightly 2031-02-03 04:05 UTC"
    assert client.read_flow_run(named.id).name == "Ann's try"
    for run in (telling, nameless, named):
        client.delete_flow_run(run.id)


@pytest.mark.usefixtures("prefect_server")
def test_one_of_many_late_runs_starts(
    client: SyncPrefectClient, deployed: dict[str, UUID], caplog: pytest.LogCaptureFixture
) -> None:
    """All that is due at once after an outage holds one place: one of them runs, the others are cancelled in seconds.

    A run by hand waits for the place, and so does a run at a terminal; each gets it when the one before has ended.
    """
    due: State[Any] = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(days=LATE))
    late = [client.create_flow_run_from_deployment(deployed["nightly"], state=due) for _ in range(LATE)]
    for run in late:
        client.set_flow_run_state(run.id, Pending())
    states = Counter(run.state_type for run in runs(client, deployed["nightly"]))
    assert states == {StateType.PENDING: 1, StateType.CANCELLED: LATE - 1}

    by_hand = client.create_flow_run_from_deployment(deployed["retrain"])
    client.set_flow_run_state(by_hand.id, Pending())
    assert client.read_flow_run(by_hand.id).state_name == "AwaitingConcurrencySlot"

    ended: list[str] = []
    at_terminal = threading.Thread(target=copy_context().run, args=(_run_at_a_terminal, ended))
    at_terminal.start()
    wait_until(lambda: "another retraining is running: this one waits" in caplog.text, 60, "the run at a terminal")
    assert ended == []
    client.set_flow_run_state(late[0].id, Completed(), force=True)
    at_terminal.join(60)
    assert ended == ["the run"]
    client.set_flow_run_state(by_hand.id, Pending())
    assert client.read_flow_run(by_hand.id).state_type == StateType.PENDING
    client.set_flow_run_state(by_hand.id, Completed(), force=True)


@pytest.mark.usefixtures("prefect_server")
def test_looking_never_loads_tensorflow(settings: Settings, tmp_path: Path) -> None:
    """A look is cheap, and its one line is all that the command prints."""
    elsewhere = settings.model_copy(update={"store": schema.Store(url=str(tmp_path / "store"))})
    (tmp_path / "settings.yaml").write_text(elsewhere.model_dump_json())
    command = [sys.executable, "-c", COMMAND, "watch", "-c", str(tmp_path / "settings.yaml"), "--once"]
    command.append("--set=dataset.min_images_per_class=100")
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Not yet: 6 new images, 100 are enough; the oldest has waited"), done.stdout
    assert done.stdout.count("\n") == 1
    assert done.stderr.rpartition("loaded: ")[2] == ""


def _run_at_a_terminal(ended: list[str]) -> None:
    @flow(name="run-at-a-terminal")
    @one_at_a_time
    def run() -> None:
        ended.append("the run")

    run()


def test_a_queue_wakes_the_watch(s3_bucket: str, tmp_path: Path, prefect_server: PrefectServer) -> None:
    """An upload's notification ends the waiting, and the source is looked at anew before the message is deleted."""
    assert prefect_server.api_url
    queue_client.cache_clear()
    message = {"eventSource": "aws:s3", "s3": {"bucket": {"name": s3_bucket[5:]}, "object": {"key": "in/1.jpg"}}}
    with sqs_server() as (address, queue):
        values = {
            "source": {"url": f"{s3_bucket}/in"},
            "store": {"url": str(tmp_path / "store")},
            "watch": {"queue": address},
        }
        polls = poll_repeatedly(resolve(parse_settings(values, "test")), once=False)
        assert next(polls).state == "Nothing new"
        open_bucket(f"{s3_bucket}/in").create("1.jpg", b"a picture")
        queue.send(json.dumps({"Records": [message]}))
        assert next(polls).why.startswith("1 new image")
        assert list(queue.received.values()) == [json.dumps({"Records": [message]})]
    queue_client.cache_clear()
