"""The local stack: Prefect, MLflow, a worker, and the service of the champion, in the background of this machine."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from configs.credentials import mlflow_login, prefect_login, read_password, set_prefect_login
from configs.environment import prefect_address
from configs.errors import PedigreeError, ServiceUnavailableError
from configs.schema import Settings
from configs.servers import Operations, Servers
from configs.visible_text import shown
from infra.local_stack import health, late_links, processes, servers, service, terminal_runs
from infra.local_stack.guard import LINK
from infra.local_stack.processes import Background
from infra.local_stack.service import Served
from infra.orchestration import deployments
from infra.orchestration.deployments import POOL

_PREFECT, _MLFLOW, _WORKER, _SERVICE = "Prefect", "MLflow", "worker", "service"
_PARTS = (_PREFECT, _MLFLOW, _WORKER, _SERVICE)
_PATIENCE = 180  # seconds; on a busy machine MLflow alone takes a minute
_PAUSE = 0.3  # seconds between two looks whether a server answers


@dataclass(frozen=True, slots=True)
class Part:
    """One program of the stack."""

    name: str
    state: Literal["running", "stopped"]
    address: str
    #: Why it does not do yet what it is there for.
    waits: str = field(default="", compare=False)

    def to_dict(self) -> dict[str, str]:
        """Return a dictionary that JSON can hold."""
        waits = {"waits": self.waits} if self.waits else {}
        return {"state": self.state, "address": self.address, **waits}


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the stack: its programs, and what deploying left as it was."""

    parts: tuple[Part, ...]
    #: What a person had changed in Prefect, and deploying therefore left as it is.
    left_alone: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        parts: dict[str, Any] = {part.name.lower(): part.to_dict() for part in self.parts}
        return {**parts, "left_alone": list(self.left_alone)} if self.left_alone else parts


def up(
    home: Path, settings: Settings | None, operations: Operations | None = None, otherwise: Served | None = None
) -> Status:
    """Start what is not running yet, wait until all of it answers, and deploy the flows.

    Args:
        home: The home folder.
        settings: The settings to deploy with, and whose champion is to answer; None deploys nothing.
        operations: The settings of servers and notifications; None starts the servers as they were started last.
        otherwise: Whose champion answers where no settings ever named a store; None starts no service then.

    Returns:
        The state of the stack.
    """
    with _alone(home):
        processes.restrict_permissions(home)
        left_alone: list[str] = []
        server_settings = _servers(home, operations)
        served = service.choose_served(home, settings, operations) or otherwise
        prefect = _ensure(home, _PREFECT, lambda: servers.start_prefect(_record(home, _PREFECT), home, server_settings))
        mlflow = _ensure(home, _MLFLOW, lambda: servers.start_mlflow(_record(home, _MLFLOW), home, server_settings))
        if served:
            _ensure_service(home, served)
        _wait(home, _PREFECT, lambda: health.responds(f"{prefect.address}/api/health"))
        login = prefect_login(home, prefect.address)
        health.check_prefect(f"{prefect.address}/api", login)
        terminal_runs.crash_dead_runs(home, f"{prefect.address}/api", embedded=not server_settings.prefect_database)
        _ensure(home, _WORKER, lambda: _start_worker(home, prefect, mlflow))
        _wait(home, _MLFLOW, lambda: health.responds(f"{mlflow.address}/health"))
        health.check_mlflow(mlflow.address, mlflow_login(home, mlflow.address))
        with suppress(OSError, ServiceUnavailableError):  # The next start tries again.
            late_links.link_former_runs(home, f"{prefect.address}/api", mlflow.address)
        _wait(home, _WORKER, lambda: health.worker_is_online(prefect.address, login, POOL))
        if served:
            _wait(home, _SERVICE, lambda: _part(home, _SERVICE).state == "running")
        if settings:
            left_alone = deployments.deploy(
                home, servers.environment_with_login(home, f"{prefect.address}/api"), settings
            )
            if operations:
                _tell(f"{prefect.address}/api", settings, operations, mlflow.address)
        return replace(status(home), left_alone=tuple(left_alone))


def down(home: Path) -> Status:
    """Stop what ``up`` started, the worker before the server, so that it can report its runs."""
    with _alone(home):
        service.stop_service(_record(home, _SERVICE), home)
        for name in (_WORKER, _MLFLOW, _PREFECT):
            processes.stop(_record(home, name))
        return status(home)


def status(home: Path) -> Status:
    """Return which programs run and answer."""
    return Status(tuple(_part(home, name) for name in _PARTS))


def notify(home: Path, settings: Settings, operations: Operations) -> list[str]:
    """Set up notifications in the Prefect that PREFECT_API_URL names, or else in the stack's.

    Args:
        home: The home folder.
        settings: The settings of a retraining.
        operations: The settings of servers and notifications.

    Returns:
        The names of the automations.

    Raises:
        PedigreeError: No Prefect is named or runs here, or it does not answer.
    """
    api = prefect_address() or prefect_api(home)
    if not api:
        raise PedigreeError(
            "No Prefect runs here: start it by pedigree up, or set PREFECT_API_URL to the API of another one."
        )
    try:
        health.check_prefect(api, prefect_login(home, api))
    except (OSError, ValueError) as error:
        raise PedigreeError(
            f"Prefect does not answer at {shown(api)}: start it there, or correct PREFECT_API_URL."
        ) from error
    return _tell(api, settings, operations, _part(home, _MLFLOW).address)


def prefect_api(home: Path) -> str:
    """Return the address of the stack's Prefect API; empty where the server does not run."""
    prefect = _part(home, _PREFECT)
    return f"{prefect.address}/api" if prefect.state == "running" else ""


def mlflow_pages(home: Path) -> str:
    """Return the address of the stack's MLflow server; empty where it does not run."""
    mlflow = _part(home, _MLFLOW)
    return mlflow.address if mlflow.state == "running" else ""


def service_address(home: Path, served: Served | None) -> str:
    """Return where the stack's service answers by the champion of a store.

    Args:
        home: The home folder.
        served: That champion.

    Returns:
        The address; empty where the service does not run, or follows another store.
    """
    part, present = _part(home, _SERVICE), service.read_served(home)
    same = bool(served and present and served.store == present.store)
    return part.address if same and part.state == "running" else ""


def _tell(api: str, settings: Settings, operations: Operations, mlflow: str) -> list[str]:
    # The import loads Prefect, which reads the environment then: the login must be set before.
    set_prefect_login(api)
    from infra.orchestration import automations

    pages = settings.tracking.url if settings.tracking.url.startswith("http") else mlflow
    return automations.set_up_automations(api, operations.notify, pages)


def _part(home: Path, name: str) -> Part:
    background = processes.read_background(_record(home, name))
    if background is None or not background.alive:
        return Part(name, "stopped", "")
    if name == _SERVICE and health.responds(f"{background.address}/live"):
        return Part(name, "running", background.address, health.why_not_ready(background.address))
    responds = name == _WORKER or (name != _SERVICE and health.responds(background.address))
    return Part(name, "running" if responds else "stopped", background.address)


def _ensure(home: Path, name: str, begin: Callable[[], Background]) -> Background:
    record = _record(home, name)
    background = processes.read_background(record)
    if background and background.alive:
        return background
    processes.stop(record)  # Children of a program that died may still hold its port.
    return begin()


def _ensure_service(home: Path, served: Served) -> None:
    """Start the service, anew where it runs with other settings."""
    record = _record(home, _SERVICE)
    if served != service.read_served(home):
        service.stop_service(record, home)
    _ensure(home, _SERVICE, lambda: service.start_service(record, home, served))


def _start_worker(home: Path, prefect: Background, mlflow: Background) -> Background:
    login = prefect_login(home, prefect.address)
    health.secure_work_pool(prefect.address, login, POOL)
    health.crash_left_over_runs(prefect.address, login, POOL)
    return servers.start_worker(_record(home, _WORKER), home, prefect.address, mlflow.address, POOL)


def _servers(home: Path, operations: Operations | None) -> Servers:
    """Choose the servers' settings, and keep them for the next start; nothing in them is secret.

    Returns:
        The settings given, or else those of the last start.

    Raises:
        PedigreeError: The servers run already, with other settings or without a password.
    """
    file = home / "stack" / "servers.json"
    before = Servers.model_validate_json(file.read_text(encoding="utf-8")) if file.exists() else Servers()
    server_settings = operations.servers if operations else before
    servers.check_credentials(server_settings)
    if server_settings != before and any(_part(home, name).state == "running" for name in (_PREFECT, _MLFLOW)):
        raise PedigreeError(
            "The servers run with other settings of the section servers: first stop them by pedigree down."
        )
    if not (server_settings.authentication or read_password(home)) and any(
        _runs(home, name) for name in (_PREFECT, _MLFLOW)
    ):
        raise PedigreeError(
            "The servers run as an older Pedigree started them, open to everybody: stop them by pedigree down."
        )
    file.write_text(server_settings.model_dump_json(), encoding="utf-8")
    servers.prepare_login(home, server_settings)
    return server_settings


def _runs(home: Path, name: str) -> bool:
    background = processes.read_background(_record(home, name))
    return bool(background and background.alive)


def _record(home: Path, name: str) -> Path:
    return home / "stack" / f"{name.lower()}.json"


def _wait(home: Path, name: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    record = _record(home, name)
    while not ready():
        background = processes.read_background(record)
        if background is None or not background.alive or time.monotonic() > deadline:
            raise PedigreeError(f"{name} did not start; what it said is in {record.with_suffix('.log')}.")
        time.sleep(_PAUSE)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the lock of this home, so that no second ``up`` or ``down`` runs at the same time."""
    folder = home / "stack"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_login_links(home: Path) -> dict[str, str]:
    """Create a link to each server's pages that logs in once; where a team has passwords, the pages ask for them.

    Args:
        home: The home folder.

    Returns:
        The links, by prefect and mlflow, and by service where that runs.

    Raises:
        PedigreeError: A server does not run.
    """
    addresses = {"prefect": prefect_api(home).removesuffix("/api"), "mlflow": mlflow_pages(home)}
    if not all(addresses.values()):
        raise PedigreeError("Prefect or MLflow does not run here: start both by pedigree up.")
    answering = _part(home, _SERVICE)
    pages = {"service": answering.address} if answering.state == "running" else {}
    if not read_password(home):
        return addresses | pages
    links = {
        name: url + health.request_login_link(url + LINK, prefect_login(home, url)) for name, url in addresses.items()
    }
    return links | pages
