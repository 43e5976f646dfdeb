"""Asking the stack's own servers, without loading Prefect for it."""

import json
import urllib.request
from typing import Any

_LEFT_OVER = ["PENDING", "RUNNING", "CANCELLING"]


def answers(url: str) -> bool:
    """Tell whether an address answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
            return True
    except OSError:
        return False


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


def _post(url: str, body: object) -> Any:  # noqa: ANN401 - whatever JSON the server answers
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
        return json.load(answer)
