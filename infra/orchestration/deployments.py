"""Deployments of infra/prefect.yaml, filled in with settings, with their shared limit and the watch over dead runs."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from configs.credentials import prefect_login
from configs.environment import prefect_address
from configs.errors import PedigreeError
from configs.schema import Settings
from configs.servers import ONE_RETRAINING
from configs.visible_text import shown
from infra.local_stack import health
from infra.local_stack.servers import environment_with_login
from infra.orchestration import forms
from infra.orchestration.forms import fill_parameters

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import AutomationCore

    from infra.orchestration.redeployment import DeployedState

NAME = "pedigree: a run died with its worker"
# Runs send a heartbeat every half minute (infra/prefect.yaml); a busy machine may miss some of them.
_SILENCE = timedelta(minutes=5)


def detect_dead_runs(client: "SyncPrefectClient", silence: timedelta = _SILENCE) -> list[str]:
    """Create the automation that sets a run to crashed which sends no heartbeat for so long (a zombie run).

    A worker reports crashed runs itself; this is for machines that went down with run and worker. A crashed run frees
    the concurrency limit, and people are notified.

    Args:
        client: Prefect's client.
        silence: The time without a heartbeat.

    Returns:
        The automation, where a person switched it off: it stays off.
    """
    desired = _automation(silence)
    existing = client.read_automations_by_name(NAME)
    for automation in existing:
        client.update_automation(automation.id, desired.model_copy(update={"enabled": automation.enabled}))
    if not existing:
        client.create_automation(desired)
    return [f"the automation {NAME} (switched off)" for automation in existing if not automation.enabled]


def _automation(silence: timedelta) -> "AutomationCore":
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    message = f"The run has said nothing for {silence}: its machine or its worker is gone. The next run carries on."
    trigger = {
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        # Only runs of these deployments, on a server that others may use as well.
        "match_related": {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.pedigree"},
        "after": {"prefect.flow-run.heartbeat"},
        # Any event of a run is a sign of life, or its end.
        "expect": {"prefect.flow-run.*"},
        "for_each": {"prefect.resource.id"},
        "posture": Posture.Proactive,
        "threshold": 1,
        "within": silence,
    }
    return AutomationCore(
        name=NAME,
        description="Made by pedigree when it deploys.",
        trigger=EventTrigger.model_validate(trigger),
        actions=[ChangeFlowRunState(name="Crashed", state=StateType.CRASHED, message=message)],
    )


POOL = "pedigree"
_RETRAINS = "flows.retrain.retrain"
_FILE = Path(__file__).parents[1] / "prefect.yaml"


def read_prefect_yaml() -> dict[str, Any]:
    """Read ``infra/prefect.yaml``."""
    contents: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return contents


def read_interval(name: str) -> int:
    """Read the interval, in seconds, at which a deployment runs."""
    schedules = next(
        deployment["schedules"] for deployment in read_prefect_yaml()["deployments"] if deployment["name"] == name
    )
    return int(schedules[0]["interval"])


def deploy_to_server(home: Path, settings: Settings, pool: str) -> tuple[list[str], list[str]]:
    """Deploy all of ``infra/prefect.yaml`` to the Prefect server that PREFECT_API_URL names.

    Args:
        home: The home folder, for a log.
        settings: The settings for the forms.
        pool: The work pool that runs the deployments.

    Returns:
        The names of the deployments, and what a person had changed there and was left as it is.

    Raises:
        PedigreeError: No server is named, or it does not answer or fails.
    """
    address = prefect_address()
    if not address:
        raise PedigreeError(
            "Set PREFECT_API_URL to the API of your Prefect server; pedigree up -c FILE deploys to the one here."
        )
    try:
        health.check_prefect(address, prefect_login(home, address))
    except (OSError, ValueError) as error:
        raise PedigreeError(f"Prefect does not answer at {shown(address)}: correct PREFECT_API_URL.") from error
    left_alone = deploy(home, environment_with_login(home, address), settings, pool)
    return [deployment["name"] for deployment in read_prefect_yaml()["deployments"]], left_alone


def deploy(home: Path, environment: Mapping[str, str], settings: Settings, pool: str = POOL) -> list[str]:
    """Deploy all of ``infra/prefect.yaml`` to a Prefect server; what a person changed there stays as it is.

    Args:
        home: The home folder, for a log.
        environment: The environment of a client, with the server's address in PREFECT_API_URL.
        settings: The settings for the forms.
        pool: The work pool that runs the deployments.

    Returns:
        What a person had changed, in words.

    Raises:
        PedigreeError: Prefect's command failed; the error names the file with its output.
    """
    entries = _filled_in(settings, pool)
    with _client(environment) as client:
        from infra.orchestration import redeployment

        deployed = redeployment.read_deployments(client, entries)
        left_alone = redeployment.describe_changes(deployed)
        _run_prefect(
            home,
            environment,
            [deployed[entry["name"]].apply_to(entry) if entry["name"] in deployed else entry for entry in entries],
        )
        forms.shorten_forms(client, entries)
        left_alone += detect_dead_runs(client)
        left_alone += _share_the_limit(client, entries, deployed)
        redeployment.restore_changes(client, entries, deployed)
    return left_alone


def _filled_in(settings: Settings, pool: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = read_prefect_yaml()["deployments"]
    for entry in entries:
        entry["parameters"] = fill_parameters(entry["name"], settings)
        entry["work_pool"] = {**entry["work_pool"], "name": pool}
    return entries


def _run_prefect(home: Path, environment: Mapping[str, str], entries: Sequence[Mapping[str, Any]]) -> None:
    file = home / "stack" / "prefect.yaml"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    contents = {**read_prefect_yaml(), "deployments": entries}
    file.write_text(yaml.safe_dump(contents, sort_keys=False, allow_unicode=True), encoding="utf-8")
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        log = file.with_name("deploy.log")
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise PedigreeError(f"The deployments could not be made; what Prefect said is in {log}.")


@contextmanager
def _client(environment: Mapping[str, str]) -> "Iterator[SyncPrefectClient]":
    """Yield a client of Prefect with the address and the password of this environment."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    server_settings = {PREFECT_API_URL: environment["PREFECT_API_URL"]}
    if login := environment.get("PREFECT_API_AUTH_STRING"):
        server_settings[PREFECT_API_AUTH_STRING] = login
    with temporary_settings(updates=server_settings), get_client(sync_client=True) as client:
        yield client


def _share_the_limit(
    client: "SyncPrefectClient", entries: Sequence[dict[str, Any]], deployed: "Mapping[str, DeployedState]"
) -> list[str]:
    """Let all retrainings share one concurrency limit: prefect.yaml can only limit each deployment by itself.

    Returns:
        The shared limit, where a person changed it: it stays so.
    """
    from prefect.exceptions import ObjectNotFound

    from infra.orchestration.redeployment import find_deployment

    try:
        limit = client.read_global_concurrency_limit_by_name(ONE_RETRAINING)
    except ObjectNotFound:
        client.upsert_global_concurrency_limit_by_name(ONE_RETRAINING, 1)
        limit = client.read_global_concurrency_limit_by_name(ONE_RETRAINING)
    for entry in entries:
        state = deployed.get(entry["name"])
        changed_limit = state.looks["concurrency_limit"] if state and "concurrency_limit" in state.changed else None
        name = (
            ONE_RETRAINING
            if changed_limit is None and entry["entrypoint"] == _RETRAINS
            else (changed_limit or {}).get("shared")
        )
        if name and (deployment := find_deployment(client, entry)):
            _hold(client, str(deployment.id), str(client.read_global_concurrency_limit_by_name(name).id))
    if (limit.limit, limit.active) == (1, True):
        return []
    return [f"the limit {ONE_RETRAINING} ({limit.limit if limit.active else 'switched off'})"]


def _hold(client: "SyncPrefectClient", deployment: str, limit: str) -> None:
    body = {"global_concurrency_limit_id": limit}
    client.request("PATCH", "/deployments/{id}", path_params={"id": deployment}, json=body)
