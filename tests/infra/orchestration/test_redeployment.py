"""Deploying again, on a real Prefect server: what a person changed there stays, and is named."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

from configs.load import parse_settings, resolve
from configs.schema import Settings
from configs.servers import ONE_RETRAINING
from infra.local_stack import health
from infra.orchestration import deployments
from infra.orchestration.deployments import NAME
from tests.servers import PrefectServer, prefect_server

_SETTINGS = {"source": {"url": "/photos"}, "store": {"url": "/store"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Start a server of its own, with the pool that deployments need."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as server:
        health.secure_work_pool(server.url, {}, deployments.POOL)
        yield server


@pytest.fixture(scope="module")
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    """Reach the server as a person's browser does."""
    with SyncPrefectClient(server.api_url) as client:
        yield client


def _deploy(server: PrefectServer, settings: Settings) -> list[str]:
    home = Path(server.home) / "home"
    return deployments.deploy(home, {**os.environ, "PREFECT_API_URL": server.api_url}, settings)


def _read(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    return client.read_deployment_by_name(name)


def _set(client: SyncPrefectClient, name: str, **changes: object) -> None:
    client.update_deployment(_read(client, name).id, DeploymentUpdate.model_validate(changes))


def _schedule(schedule: CronSchedule | IntervalSchedule, *, active: bool = True) -> list[DeploymentScheduleUpdate]:
    return [DeploymentScheduleUpdate(schedule=schedule, active=active)]


def _looks(client: SyncPrefectClient) -> dict[str, object]:
    nightly, watch, verify = (
        _read(client, name) for name in ("retrain/nightly", "watch/watch", "verify-store/verify-store")
    )
    (trigger,) = client.read_resource_related_automations(f"prefect.deployment.{watch.id}")
    (zombies,) = client.read_automations_by_name(NAME)
    assert watch.global_concurrency_limit
    return {
        "switched off": [(schedule.active, schedule.schedule.model_dump()) for schedule in nightly.schedules],
        "paused": watch.paused,
        "every": [schedule.schedule.model_dump() for schedule in watch.schedules],
        "another time": [schedule.schedule.model_dump() for schedule in verify.schedules],
        "trigger": trigger.enabled,
        "limit": watch.global_concurrency_limit.limit,
        "shared": client.read_global_concurrency_limit_by_name(ONE_RETRAINING).limit,
        "zombies": zombies.enabled,
        "tags": sorted(nightly.tags),
        "queue": (verify.work_queue_name, verify.job_variables),
    }


def test_what_a_person_changed_stays_and_is_named(server: PrefectServer, client: SyncPrefectClient) -> None:
    """A switched-off schedule, a paused deployment, another time, limit, trigger or tag stay; the settings arrive."""
    assert _deploy(server, resolve(parse_settings(_SETTINGS, "the test"))) == []
    nightly = _read(client, "retrain/nightly")
    client.update_deployment_schedule(nightly.id, nightly.schedules[0].id, active=False)
    _set(client, "retrain/nightly", tags=["pedigree", "mine"])
    client.pause_deployment(_read(client, "watch/watch").id)
    _set(client, "watch/watch", concurrency_limit=3, schedules=_schedule(IntervalSchedule(interval=timedelta(hours=1))))
    sundays = CronSchedule(cron="0 5 * * 0", timezone="Europe/Paris")
    _set(client, "verify-store/verify-store", schedules=_schedule(sundays))
    (trigger,) = client.read_resource_related_automations(f"prefect.deployment.{_read(client, 'watch/watch').id}")
    client.pause_automation(trigger.id)
    (zombies,) = client.read_automations_by_name(NAME)
    client.pause_automation(zombies.id)
    client.upsert_global_concurrency_limit_by_name(ONE_RETRAINING, 2)
    client.create_work_queue("low", work_pool_name=deployments.POOL)
    _set(client, "verify-store/verify-store", work_queue_name="low", job_variables={"stream_output": False})
    before = _looks(client)
    changed_settings = resolve(parse_settings({**_SETTINGS, "training": {"seed": 3}}, "the test"))
    for _ in range(2):
        retained = _deploy(server, changed_settings)
        assert set(retained) == {
            "nightly: its schedule (0 4 * * * Europe/Berlin, switched off)",
            "nightly: its tags",
            "watch: it is paused",
            "watch: its schedule (every 3600 seconds)",
            "watch: its trigger (switched off)",
            "watch: its concurrency limit (3)",
            "verify-store: its schedule (0 5 * * 0 Europe/Paris)",
            "verify-store: its job variables",
            "verify-store: its work queue name",
            f"the automation {NAME} (switched off)",
            f"the limit {ONE_RETRAINING} (2)",
        }
        assert _looks(client) == before
    redeployed = _read(client, "retrain/nightly")
    assert redeployed.parameters["training_seed"] == 3
    assert redeployed.global_concurrency_limit
    assert redeployed.global_concurrency_limit.name == ONE_RETRAINING


def test_what_the_file_changed_arrives(
    server: PrefectServer, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another time written into the file is what was asked, where nobody changed it in Prefect."""
    settings = resolve(parse_settings(_SETTINGS, "the test"))
    described = deployments.read_prefect_yaml()
    for deployment in described["deployments"]:
        if deployment["name"] == "reproduce":
            deployment["schedules"] = [{"cron": "0 3 * * *", "timezone": "Asia/Tokyo", "active": True}]
        if deployment["name"] == "reproduce":
            deployment["description"] = "Another one."
    monkeypatch.setattr(deployments, "read_prefect_yaml", lambda: described)
    retained = _deploy(server, settings)
    assert not [words for words in retained if words.startswith("reproduce")]
    (schedule,) = _read(client, "reproduce/reproduce").schedules
    assert schedule.schedule.model_dump(include={"cron", "timezone"}) == {"cron": "0 3 * * *", "timezone": "Asia/Tokyo"}
    assert _read(client, "reproduce/reproduce").description == "Another one."


def test_where_an_older_pedigree_deployed(server: PrefectServer, client: SyncPrefectClient) -> None:
    """Without a word of how it was deployed, what differs from the file is a person's; what was taken away stays so."""
    settings = resolve(parse_settings(_SETTINGS, "the test"))
    client.delete_variable_by_name("pedigree_deployed")
    watch = _read(client, "watch/watch")
    client.delete_deployment_schedule(watch.id, watch.schedules[0].id)
    retained = _deploy(server, settings)
    assert {"watch: its schedule (none)", "watch: it is paused", "nightly: its tags"} <= set(retained)
    assert not [words for words in retained if words.startswith(("rollback", "retrain", "approve"))]
    assert _read(client, "watch/watch").schedules == []
