"""What ``infra/prefect.yaml`` and the manifests beside it say, without any server."""

import asyncio
import json
import re
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
import yaml
from prefect.server.schemas.schedules import CronSchedule
from prefect.utilities.importtools import import_object
from prefect.utilities.schema_tools import is_valid_schema, validate

from configs.errors import PedigreeError
from configs.load import parse_settings
from infra.orchestration.deployments import deploy_to_server, read_prefect_yaml
from tests.servers import ROOT, free_port

KUBERNETES = ROOT / "infra" / "kubernetes"
POOL = json.loads((KUBERNETES / "pool.json").read_text())
JOB = POOL["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
WORKER = {document["kind"]: document for document in yaml.safe_load_all((KUBERNETES / "worker.yaml").read_text())}


def nightly() -> dict[str, Any]:
    """Return when the runs are."""
    (schedule,) = next(
        deployment["schedules"] for deployment in read_prefect_yaml()["deployments"] if deployment["name"] == "nightly"
    )
    return dict(schedule)


@pytest.mark.parametrize(("change", "hours"), [(date(2027, 3, 28), 23), (date(2026, 10, 25), 25)])
def test_every_date_has_one_run_also_when_the_clock_changes(change: date, hours: int) -> None:
    """On the days of the year that have 23 and 25 hours, as on those around them, one run starts at four."""
    zone = ZoneInfo(nightly()["timezone"])
    schedule = CronSchedule(cron=nightly()["cron"], timezone=nightly()["timezone"])
    start = datetime(change.year, change.month, change.day, tzinfo=zone) - timedelta(days=2)
    runs = [date.astimezone(zone) for date in asyncio.run(schedule.get_dates(n=5, start=start))]
    assert [date.toordinal() - change.toordinal() for date in runs] == [-2, -1, 0, 1, 2]
    assert {(date.hour, date.minute) for date in runs} == {(4, 0)}
    real = [round((second.timestamp() - date.timestamp()) / 3600) for date, second in pairwise(runs)]
    assert real == [24, hours, 24, 24]


def test_four_o_clock_comes_once_a_day_in_every_zone() -> None:
    """Whatever zone somebody writes into the file, no clock change of two years leaves out or repeats that hour."""
    assert nightly()["cron"] == "0 4 * * *"
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(730)]
    for name in available_timezones():
        zone = ZoneInfo(name)
        for day in days:
            four = datetime(day.year, day.month, day.day, 4, tzinfo=zone)
            assert four.utcoffset() == four.replace(fold=1).utcoffset(), (name, day)


def test_every_deployment_runs_a_flow_and_says_what_for() -> None:
    """Each entry names a flow by its module, and has a description and a tag."""
    entries = read_prefect_yaml()["deployments"]
    assert {entry["name"] for entry in entries} == {
        *("nightly", "retrain", "watch", "reproduce", "verify-store", "approve", "rollback")
    }
    for deployment in entries:
        assert import_object(deployment["entrypoint"]).name
        assert deployment["description"].endswith(".")
        assert deployment["tags"] == ["pedigree"]


def test_the_kubernetes_pool_is_whole() -> None:
    """Each placeholder of the job has a variable, each default is of its type, and a job runs a run."""
    variables = POOL["variables"]["properties"]
    placeholders = set(re.findall(r"{{ (\w+) }}", json.dumps(POOL["job_configuration"])))
    assert placeholders == set(variables)
    is_valid_schema(POOL["variables"])
    defaults = {
        name: variable["default"] for name, variable in variables.items() if variable.get("default") is not None
    }
    validate(defaults, {**POOL["variables"], "required": []}, raise_on_error=True)
    manifest = POOL["job_configuration"]["job_manifest"]
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert (manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "Job")
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert manifest["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_the_kubernetes_worker_may_do_what_it_must_and_nothing_more() -> None:
    """The worker's account may start jobs and read pods of its own namespace, where it looks, and runs may nothing."""
    pod = WORKER["Deployment"]["spec"]["template"]
    account = pod["spec"]["serviceAccountName"]
    (subject,) = WORKER["RoleBinding"]["subjects"]
    assert (subject["kind"], subject["name"]) == ("ServiceAccount", account)
    assert WORKER["RoleBinding"]["roleRef"]["name"] == WORKER["Role"]["metadata"]["name"]
    allowed = {
        (resource, verb) for rule in WORKER["Role"]["rules"] for resource in rule["resources"] for verb in rule["verbs"]
    }
    assert {("jobs", "create"), ("jobs", "delete"), ("pods", "watch"), ("pods/log", "get")} <= allowed
    assert not {verb for resource, verb in allowed if resource != "jobs"} - {"get", "list", "watch"}
    assert WORKER["Deployment"]["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    accounts = yaml.safe_load_all((KUBERNETES / "worker.yaml").read_text())
    names = {account["metadata"]["name"] for account in accounts if account["kind"] == "ServiceAccount"}
    assert names == {account, JOB["serviceAccountName"]}
    (container,) = pod["spec"]["containers"]
    assert container["command"][:3] == ["prefect", "worker", "start"]
    assert container["command"][container["command"].index("--type") + 1] == "kubernetes"
    expected = {"name": "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"}
    assert {**expected, "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}} in container["env"]


def test_whoever_starts_a_job_chooses_neither_what_it_executes_nor_its_rights() -> None:
    """Command, variables, image, account and cluster are the pool's own."""
    closed = {"command", "env", "image", "service_account_name", "cluster_config", "image_pull_policy"}
    assert not closed & POOL["variables"]["properties"].keys()
    assert not closed & POOL["job_configuration"].keys()
    (container,) = JOB["containers"]
    assert not [value for value in (container["image"], container["args"], container["env"]) if "{{" in str(value)]


@pytest.mark.parametrize("pod", [JOB, WORKER["Deployment"]["spec"]["template"]["spec"]], ids=["job", "worker"])
def test_pods_of_the_cluster_have_no_more_than_they_need(pod: dict[str, Any]) -> None:
    """No root, no new privileges, no capabilities, no writing but where it must be, and an image that is one image."""
    (container,) = pod["containers"]
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert min(security["runAsUser"], security["runAsGroup"]) > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert re.fullmatch(r"[\w./-]+@sha256:[0-9a-f]{64}", container["image"])
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert {mount["name"] for mount in pod["volumes"] if mount["emptyDir"] == {}} == mounts.keys()
    home = next(mount["value"] for mount in container["env"] if mount["name"] == "HOME")
    assert {home, "/tmp", container["workingDir"]} <= set(mounts.values())  # noqa: S108 - a mount
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


def test_a_prefect_that_is_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deploying to an address where nobody answers ends in a sentence with that address, without its password."""
    monkeypatch.setenv("PREFECT_API_URL", f"http://ann:hush@127.0.0.1:{free_port()}/api")
    with pytest.raises(PedigreeError, match="Prefect does not answer at http://ann:…@127") as caught:
        deploy_to_server(tmp_path, parse_settings({"source": {"url": "a"}, "store": {"url": "b"}}, "here"), "pool")
    assert "hush" not in str(caught.value)
