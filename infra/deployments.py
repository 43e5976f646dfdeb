"""Deploying ``infra/prefect.yaml`` to a Prefect server: in one go, every form filled in with the settings."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from configs.fields import filled
from configs.load import prefect_address
from configs.problems import Problem
from configs.schema import Settings
from infra.servers import with_login
from infra.zombies import notice_dead_runs

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

POOL = "pedigree"
#: Prefect's limit that every retraining of a server shares, whatever starts it.
ONE_RETRAINING = "pedigree-retraining"
_FILE = Path(__file__).parent / "prefect.yaml"
# The sections that a form asks for; the others take all settings.
_RETRAINING = tuple(one for one in Settings.model_fields if one != "watch")
_SECTIONS = {
    "nightly": _RETRAINING,
    "retrain": _RETRAINING,
    "approve": ("store", "tracking"),
    "rollback": ("store", "tracking"),
    "reproduce": ("store",),
    "verify-store": ("store",),
}


def described() -> dict[str, Any]:
    """Read what ``infra/prefect.yaml`` says."""
    found: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return found


def parameters(name: str, settings: Settings) -> dict[str, Any]:
    """Fill in the form of this deployment with these settings."""
    sections = _SECTIONS.get(name, tuple(Settings.model_fields))
    return filled(settings, *(one for one in Settings.model_fields if one not in sections))


def every_seconds(name: str) -> int:
    """Tell how often a deployment with an interval runs."""
    schedules = next(one["schedules"] for one in described()["deployments"] if one["name"] == name)
    return int(schedules[0]["interval"])


def deploy_elsewhere(home: Path, settings: Settings, pool: str) -> list[str]:
    """Deploy all of the file to the Prefect server that the user chose, and name what is there now."""
    address = prefect_address()
    if not address:
        raise Problem(
            "Set PREFECT_API_URL to the API of your Prefect server; pedigree up -c FILE deploys to the one here."
        )
    deploy(home, with_login(home, address), settings, pool)
    return [one["name"] for one in described()["deployments"]]


def deploy(home: Path, environment: Mapping[str, str], settings: Settings, pool: str = POOL) -> None:
    """Deploy all of the file to the server that PREFECT_API_URL in the environment names, for this work pool.

    Raises:
        Problem: Prefect said no; its words are in a file that the sentence names.
    """
    file = home / "stack" / "prefect.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(_filled_in(settings, pool), sort_keys=False, allow_unicode=True), encoding="utf-8")
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        log = file.with_name("deploy.log")
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise Problem(f"The deployments could not be made; what Prefect said is in {log}.")
    _share_the_limit(environment)


def _filled_in(settings: Settings, pool: str) -> dict[str, Any]:
    whole = described()
    for one in whole["deployments"]:
        one["parameters"] = parameters(one["name"], settings)
        one["work_pool"] = {**one["work_pool"], "name": pool}
    return whole


def _share_the_limit(environment: Mapping[str, str]) -> None:
    """Hold the retrainings to one at a time together: prefect.yaml knows a limit for each deployment alone."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    known = {PREFECT_API_URL: environment["PREFECT_API_URL"]}
    if login := environment.get("PREFECT_API_AUTH_STRING"):
        known[PREFECT_API_AUTH_STRING] = login
    # A client that is made from the settings also knows the password.
    with temporary_settings(updates=known), get_client(sync_client=True) as client:
        notice_dead_runs(client)
        client.upsert_global_concurrency_limit_by_name(ONE_RETRAINING, 1)
        limit = client.read_global_concurrency_limit_by_name(ONE_RETRAINING)
        for one in described()["deployments"]:
            if one["entrypoint"] == "flows.retrain.retrain":
                _hold(client, f"retrain/{one['name']}", str(limit.id))


def _hold(client: "SyncPrefectClient", name: str, limit: str) -> None:
    found = client.read_deployment_by_name(name)
    client.request(
        "PATCH", "/deployments/{id}", path_params={"id": found.id}, json={"global_concurrency_limit_id": limit}
    )
