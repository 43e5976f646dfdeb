"""Asking the stack's own servers, without loading Prefect or MLflow for it."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError

from configs.addresses import shown
from configs.load import mlflow_login, prefect_login
from configs.problems import Problem

_LEFT_OVER = ["PENDING", "RUNNING", "CANCELLING"]
_LOCKED = (401, 403)


def answers(url: str) -> bool:
    """Tell whether an address answers with success, or by asking for a password."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
            return True
    except HTTPError as error:
        return error.code in _LOCKED
    except OSError:
        return False


def check_prefect(api: str) -> None:
    """Raise Problem where this API wants another name or password, OSError or ValueError where nobody answers.

    Its health is told to everybody: only another question shows whether we may ask.
    """
    if _status(f"{api.rstrip('/')}/admin/version", prefect_login()) in _LOCKED:
        raise Problem(
            f"Prefect at {shown(api)} refuses the name or password: set PREFECT_API_AUTH_STRING to name:password."
        )


def check_mlflow(address: str) -> None:
    """Raise Problem where this MLflow wants another name or password."""
    question = f"{address}/api/2.0/mlflow/experiments/search?max_results=1"
    if _status(question, mlflow_login()) in _LOCKED:
        variables = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        raise Problem(
            f"MLflow at {shown(address)} refuses the name or password: set {variables} to those that it knows."
        )


def worker_is_online(prefect: str, pool: str) -> bool:
    """Tell whether Prefect has heard of a worker of this pool just now."""
    try:
        workers = _post(f"{prefect}/api/work_pools/{pool}/workers/filter", {})
    except OSError:
        return False
    return any(worker["status"] == "ONLINE" for worker in workers)


def close_left_over_runs(prefect: str, pool: str) -> None:
    """Call crashed what a stopped worker left running: it would hold the deployment's only place for ever."""
    wanted = {"flow_runs": {"state": {"type": {"any_": _LEFT_OVER}}}, "work_pools": {"name": {"any_": [pool]}}}
    state = {"type": "CRASHED", "name": "Crashed", "message": "The worker was stopped; the next night carries on."}
    for run in _post(f"{prefect}/api/flow_runs/filter", wanted):
        _post(f"{prefect}/api/flow_runs/{run['id']}/set_state", {"state": state, "force": True})


def _status(url: str, headers: Mapping[str, str]) -> int:
    """Ask, and return the HTTP status, whichever it is; raises OSError or ValueError where there is none."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except HTTPError as error:
        return error.code


def _post(url: str, body: object) -> Any:  # noqa: ANN401 - whatever JSON the server answers
    headers = {"Content-Type": "application/json", **prefect_login()}
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
        return json.load(answer)
