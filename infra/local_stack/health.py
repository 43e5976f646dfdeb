"""Requests to Prefect and MLflow by plain HTTP: health, logins and the work pool, without importing either."""

import json
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from configs.errors import PedigreeError, ServiceUnavailableError
from configs.visible_text import shown
from tasks.service.web.access import read_keys

_LEFT_OVER = ["PENDING", "RUNNING", "CANCELLING"]
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_LOCKED = (401, 403)
_NOT_FOUND, _BUSY = 404, 503
_WAITS = (0.2, 0.5, 1, 2, 4, 8, 0)  # seconds after each try; nobody waits after the last one
POOL_TEMPLATE = Path(__file__).parent / "pool.json"
_NOT_FROM_OUTSIDE = {"command", "env", "working_dir"}

Login = Mapping[str, str]


def responds(url: str) -> bool:
    """Return whether an address answers with success, or asks for a password."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
            return True
    except HTTPError as error:
        return error.code in _LOCKED
    except OSError:
        return False


def why_not_ready(service: str) -> str:
    """Return why a service of the champion does not answer photographs, or not by the champion; empty where it does.

    Args:
        service: Its address.

    Returns:
        The reason in its own words; where it asks for another key than PEDIGREE_SERVE_KEY holds only that it waits.
    """
    keys = read_keys()
    login = {"Authorization": f"Bearer {keys[0]}"} if keys else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{service}/ready", headers=login), timeout=5) as answer:  # noqa: S310
            plain = json.loads(answer.read())
    except HTTPError as error:
        plain = json.loads(error.read())
    except (OSError, ValueError):
        return ""
    following = plain.get("following", {})
    reasons = [following[name] for name in ("waits", "refused", "unreachable") if name in following]
    return shown(str(reasons[0])) if reasons else "" if plain["status"] == "ready" else str(plain["status"])


def check_prefect(api: str, login: Login) -> None:
    """Check that Prefect answers and accepts the login; its health page answers anybody, so another one is asked.

    Args:
        api: The address of Prefect's API.
        login: The HTTP header that logs in.

    Raises:
        PedigreeError: The name or password is wrong.
        OSError: Nobody answers.
        ValueError: The address is none.
    """
    if _status(f"{api.rstrip('/')}/admin/version", login) in _LOCKED:
        raise PedigreeError(
            f"Prefect at {shown(api)} refuses the name or password: set PREFECT_API_AUTH_STRING to name:password."
        )


def check_mlflow(address: str, login: Login) -> None:
    """Check that MLflow accepts the login.

    Args:
        address: MLflow's address.
        login: The HTTP header that logs in.

    Raises:
        PedigreeError: The name or password is wrong.
        OSError: Nobody answers.
    """
    question = f"{address}/api/2.0/mlflow/experiments/search?max_results=1"
    if _status(question, login) in _LOCKED:
        variables = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        raise PedigreeError(
            f"MLflow at {shown(address)} refuses the name or password: set {variables} to those that it knows."
        )


def worker_is_online(prefect: str, login: Login, pool: str) -> bool:
    """Return whether a worker of this pool is online.

    Args:
        prefect: The address of Prefect's server.
        login: The HTTP header that logs in.
        pool: The work pool.

    Returns:
        Whether Prefect has heard from such a worker recently; False where Prefect does not answer.
    """
    try:
        workers = ask(f"{prefect}/api/work_pools/{pool}/workers/filter", login, {})
    except (OSError, ServiceUnavailableError):
        return False
    return any(worker["status"] == "ONLINE" for worker in workers)


def request_login_link(url: str, login: Login) -> str:
    """Request a link from the guard of a local server that logs in once.

    Args:
        url: The guard's address for such requests.
        login: The HTTP header that logs in.

    Returns:
        A path with a token in its fragment.
    """
    with urllib.request.urlopen(urllib.request.Request(url, headers=dict(login)), timeout=10) as answer:  # noqa: S310
        return str(answer.read().decode())


def secure_work_pool(prefect: str, login: Login, pool: str) -> None:
    """Create the work pool, or change its template, so that a run can bring neither a command nor variables of its own.

    Prefect's own template would take both from whoever starts a run. What a person set there otherwise stays.

    Args:
        prefect: The address of Prefect's server.
        login: The HTTP header that logs in.
        pool: The work pool.

    Raises:
        HTTPError: Prefect refuses the request.
    """
    pools, template = f"{prefect}/api/work_pools", json.loads(POOL_TEMPLATE.read_text(encoding="utf-8"))
    try:
        present = ask(f"{pools}/{pool}", login)["base_job_template"]["job_configuration"]
    except HTTPError as error:
        if error.code != _NOT_FOUND:
            raise
        ask(f"{pools}/", login, {"name": pool, "type": "process", "base_job_template": template})
    else:
        if present.keys() & _NOT_FROM_OUTSIDE:
            ask(f"{pools}/{pool}", login, {"base_job_template": template}, "PATCH")


def crash_left_over_runs(prefect: str, login: Login, pool: str) -> None:
    """Set runs to crashed that a stopped worker left behind: they would hold the concurrency limit for ever.

    Args:
        prefect: The address of Prefect's server.
        login: The HTTP header that logs in.
        pool: The work pool.
    """
    run_filter = {"flow_runs": {"state": {"type": {"any_": _LEFT_OVER}}}, "work_pools": {"name": {"any_": [pool]}}}
    state = {"type": "CRASHED", "name": "Crashed", "message": "The worker was stopped; the next run carries on."}
    for run in ask(f"{prefect}/api/flow_runs/filter", login, run_filter):
        ask(f"{prefect}/api/flow_runs/{run['id']}/set_state", login, {"state": state, "force": True})


def crash_run(api: str, login: Login, run: str, message: str) -> None:
    """Set a run to crashed, unless it has ended already or Prefect does not know it.

    Args:
        api: The address of Prefect's API.
        login: The HTTP header that logs in.
        run: The flow run's id.
        message: What people read about it.

    Raises:
        HTTPError: Prefect refuses the request.
    """
    url = f"{api.rstrip('/')}/flow_runs/{run}"
    try:
        present = ask(url, login)
    except HTTPError as error:
        if error.code != _NOT_FOUND:
            raise
        return
    if present["state_type"] not in _ENDED:
        state = {"type": "CRASHED", "name": "Crashed", "message": message}
        ask(f"{url}/set_state", login, {"state": state, "force": True})


def _status(url: str, headers: Login) -> int:
    """Return the HTTP status of an address, whichever it is; raises OSError or ValueError where there is none."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except HTTPError as error:
        return error.code


def ask(url: str, login: Login, body: object = None, method: str | None = None) -> Any:  # noqa: ANN401 - whatever JSON
    """Ask Prefect, and again where its database was busy: it has written nothing then, and leaves trying to us.

    Args:
        url: The address.
        login: The HTTP header that logs in.
        body: What JSON can hold, to be posted; None gets the address.
        method: Another method than POST or GET.

    Returns:
        What it answers.

    Raises:
        HTTPError: Prefect refuses the request.
        ServiceUnavailableError: The database stays busy.
    """
    headers = {"Content-Type": "application/json", **login}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
    for wait in _WAITS:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
                return json.loads(answer.read() or "null")
        except HTTPError as error:
            if error.code != _BUSY:
                raise
        time.sleep(wait)
    raise ServiceUnavailableError(f"The database of Prefect at {shown(url)} stays busy: try again in a minute.")
