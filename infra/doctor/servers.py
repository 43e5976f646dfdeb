"""What the doctor looks at of Prefect and MLflow, by plain HTTP: neither is imported."""

import os
from collections.abc import Iterator
from pathlib import Path

from configs.credentials import mlflow_login, prefect_login
from configs.environment import prefect_address
from configs.schema import Settings
from configs.visible_text import shown
from infra import stack
from infra.doctor.finding import Finding
from infra.doctor.machine import existing_parent
from infra.local_stack import health
from infra.orchestration.deployments import POOL
from tasks.stores.tracking.database import SQLITE, check_database, database_path

_API = "/api"


def check_prefect(home: Path) -> Iterator[Finding]:
    """Check that Prefect answers, accepts the login, and has a worker for what is deployed.

    Args:
        home: The home folder.

    Yields:
        One finding.
    """
    address = prefect_address() or stack.prefect_api(home)
    if not address:
        message = "no server runs: each run at a terminal starts its own, and none is started at night"
        yield Finding("prefect", "warn", message, "pedigree up -c FILE starts one, with a worker")
        return
    login = prefect_login(home, address)
    try:
        health.check_prefect(address, login)
    except (OSError, ValueError):
        message = f"nobody answers at {shown(address)}"
        yield Finding("prefect", "fail", message, "start that server, or unset PREFECT_API_URL to run without one")
        return
    if health.worker_is_online(address.rstrip("/").removesuffix(_API), login, POOL):
        yield Finding("prefect", "ok", f"{shown(address)} answers, and a worker of the pool {POOL} is online")
    else:
        message = f"{shown(address)} answers, and no worker of the pool {POOL} is online: nightly runs wait"
        yield Finding("prefect", "warn", message, "pedigree up -c FILE starts one here")


def check_mlflow(home: Path, settings: Settings | None) -> Iterator[Finding]:
    """Check that MLflow answers and accepts the login, or that its database in the home folder can be used.

    Args:
        home: The home folder.
        settings: That of the tracking; None looks at the local stack's alone.

    Yields:
        One finding.
    """
    url = settings.tracking.url if settings else stack.mlflow_pages(home)
    if not url:
        yield Finding("mlflow", "ok", "no server runs: runs write into the database in the home folder")
    elif url.startswith(SQLITE):
        yield Finding("mlflow", "ok", _check_embedded(url))
    elif not health.responds(f"{url.rstrip('/')}/health"):
        message = f"nobody answers at {shown(url)}"
        yield Finding("mlflow", "fail", message, "start that server, or leave tracking.url out to use a database here")
    else:
        health.check_mlflow(url.rstrip("/"), mlflow_login(home, url))
        yield Finding("mlflow", "ok", f"{shown(url)} answers")


def _check_embedded(url: str) -> str:
    """Say whether a database can be used; one that is not there yet is left to the first run, since it takes MLflow."""
    path = database_path(url)
    if not path.exists() and os.access(existing_parent(path.parent), os.W_OK | os.X_OK):
        return f"{url} is not there yet, and the first run can make it"
    check_database(url)
    return f"{url} can be used"
