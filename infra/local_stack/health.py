"""Asking Prefect and MLflow with a login, made by ``configs.load``, and without loading either for it."""

import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from configs.errors import PedigreeError
from configs.visible_text import shown

_LEFT_OVER = ["PENDING", "RUNNING", "CANCELLING"]
_LOCKED = (401, 403)
_NOT_FOUND = 404
_TEMPLATE = Path(__file__).parent / "pool.json"
_NOT_FROM_OUTSIDE = {"command", "env", "working_dir"}

Login = Mapping[str, str]


def responds(url: str) -> bool:
    """Tell whether an address answers with success, or by asking for a password."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
            return True
    except HTTPError as error:
        return error.code in _LOCKED
    except OSError:
        return False


def check_prefect(api: str, login: Login) -> None:
    """Raise PedigreeError where this API wants another name or password, OSError or ValueError where nobody answers.

    Its health is told to everybody: only another question shows whether we may ask.
    """
    if _status(f"{api.rstrip('/')}/admin/version", login) in _LOCKED:
        raise PedigreeError(
            f"Prefect at {shown(api)} refuses the name or password: set PREFECT_API_AUTH_STRING to name:password."
        )


def check_mlflow(address: str, login: Login) -> None:
    """Raise PedigreeError where this MLflow wants another name or password."""
    question = f"{address}/api/2.0/mlflow/experiments/search?max_results=1"
    if _status(question, login) in _LOCKED:
        variables = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        raise PedigreeError(
            f"MLflow at {shown(address)} refuses the name or password: set {variables} to those that it knows."
        )


def worker_is_online(prefect: str, login: Login, pool: str) -> bool:
    """Tell whether Prefect has heard of a worker of this pool just now."""
    try:
        workers = _ask(f"{prefect}/api/work_pools/{pool}/workers/filter", login, {})
    except OSError:
        return False
    return any(worker["status"] == "ONLINE" for worker in workers)


def request_login_link(url: str, login: Login) -> str:
    """Ask the guard of a local server for a link that logs in once: a path with a word in its fragment."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=dict(login)), timeout=10) as answer:  # noqa: S310
        return str(answer.read().decode())


def secure_work_pool(prefect: str, login: Login, pool: str) -> None:
    """Let runs of this pool bring neither a command nor variables of their own; what else a person set there stays.

    The pool is made where there is none. Prefect's own template would take both from whoever starts a run.
    """
    pools, template = f"{prefect}/api/work_pools", json.loads(_TEMPLATE.read_text(encoding="utf-8"))
    try:
        present = _ask(f"{pools}/{pool}", login)["base_job_template"]["job_configuration"]
    except HTTPError as error:
        if error.code != _NOT_FOUND:
            raise
        _ask(f"{pools}/", login, {"name": pool, "type": "process", "base_job_template": template})
    else:
        if present.keys() & _NOT_FROM_OUTSIDE:
            _ask(f"{pools}/{pool}", login, {"base_job_template": template}, "PATCH")


def crash_left_over_runs(prefect: str, login: Login, pool: str) -> None:
    """Call crashed what a stopped worker left running: it would hold the deployment's only place for ever."""
    run_filter = {"flow_runs": {"state": {"type": {"any_": _LEFT_OVER}}}, "work_pools": {"name": {"any_": [pool]}}}
    state = {"type": "CRASHED", "name": "Crashed", "message": "The worker was stopped; the next night carries on."}
    for run in _ask(f"{prefect}/api/flow_runs/filter", login, run_filter):
        _ask(f"{prefect}/api/flow_runs/{run['id']}/set_state", login, {"state": state, "force": True})


def _status(url: str, headers: Login) -> int:
    """Ask, and return the HTTP status, whichever it is; raises OSError or ValueError where there is none."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except HTTPError as error:
        return error.code


def _ask(url: str, login: Login, body: object = None, method: str | None = None) -> Any:  # noqa: ANN401 - whatever JSON
    headers = {"Content-Type": "application/json", **login}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
        return json.loads(answer.read() or "null")
