"""Prefect's and MLflow's servers and a worker: how each is started, on SQLite and a folder or on PostgreSQL and S3."""

import os
import secrets
import socket
import sys
from contextlib import suppress
from pathlib import Path

from configs.credentials import forget_password, local_login, make_password
from configs.environment import secret
from configs.errors import PedigreeError, SettingsError
from configs.servers import Servers
from infra.local_stack import processes
from infra.local_stack.processes import Background

_AUTHENTICATION = """[mlflow]
default_permission = READ
database_uri = {database}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""
# Each server listens on the first free port from here on.
PREFECT_PORT, MLFLOW_PORT = 4200, 5000
LOOPBACK = "127.0.0.1"
#: Seconds between two heartbeats of a run; after ten that did not come it counts as dead.
HEARTBEAT = "30"
# -P: a folder named infra in the current folder must not be imported.
_GUARDED = [sys.executable, "-P", "-m", "infra.local_stack.serve"]
# MLflow refuses a shorter password, and says so only in its log.
_SHORTEST_PASSWORD = 12


def check_credentials(servers: Servers) -> None:
    """Check that passwords are set where the servers are to ask for them.

    Raises:
        SettingsError: A name or a password is missing or too short.
    """
    if not servers.authentication:
        return
    if ":" not in secret("PREFECT_API_AUTH_STRING"):
        raise SettingsError("servers.authentication is on: set PREFECT_API_AUTH_STRING to name:password.")
    name, password = secret("MLFLOW_TRACKING_USERNAME"), secret("MLFLOW_TRACKING_PASSWORD")
    if not name or len(password) < _SHORTEST_PASSWORD:
        message = (
            "servers.authentication is on: set MLFLOW_TRACKING_USERNAME, and MLFLOW_TRACKING_PASSWORD to a password "
            f"of at least {_SHORTEST_PASSWORD} characters."
        )
        raise SettingsError(message)


def prepare_login(home: Path, servers: Servers) -> None:
    """Create the password of a single person's servers, or remove it where a team has passwords of its own.

    Args:
        home: The home folder.
        servers: The settings of the servers.
    """
    if servers.authentication:
        forget_password(home)
    else:
        make_password(home)


def stack_environment(home: Path) -> dict[str, str]:
    """Return the environment for a server or worker: this terminal's, with the same AWS settings and home folders."""
    # MLflow's own boto3 client reads only the older name of the region.
    region = os.environ.get("AWS_REGION")
    aws = {"AWS_DEFAULT_REGION": region} if region else {}
    return {**os.environ, **aws, "PEDIGREE_HOME": str(home), "PREFECT_HOME": str(home / "prefect")}


def environment_with_login(home: Path, api: str) -> dict[str, str]:
    """Return the environment for a client of Prefect.

    Args:
        home: The home folder.
        api: The address of Prefect's API.

    Returns:
        The environment with that address and, for this home's own server, the password.
    """
    variables = stack_environment(home) | {"PREFECT_API_URL": api}
    login = local_login(home, api)
    return variables | {"PREFECT_API_AUTH_STRING": login} if login else variables


def start_prefect(record: Path, home: Path, servers: Servers) -> Background:
    """Start Prefect's server on a free port of this machine.

    Args:
        record: The file that records the process.
        home: The home folder.
        servers: The settings of the servers.

    Returns:
        The process, with the server's address.
    """
    listener = listen_again(record, PREFECT_PORT)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    # Behind a proxy pages and API have other addresses, which the owner sets in the environment.
    variables = {"PREFECT_SERVER_UI_API_URL": f"{url}/api", "PREFECT_UI_URL": url, **stack_environment(home)}
    # A restarted server still knows which run holds the limit of one retraining, and until when.
    variables["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"] = "prefect.server.concurrency.lease_storage.filesystem"
    # A server that finds another server's address in its environment would send its own work there.
    variables.pop("PREFECT_API_URL", None)
    # Pages of other origins may send no requests.
    variables.setdefault("PREFECT_SERVER_CORS_ALLOWED_ORIGINS", variables["PREFECT_UI_URL"])
    if servers.prefect_database:
        _, _, address = servers.prefect_database.partition("://")
        variables["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = f"postgresql+asyncpg://{address}"
    variables.pop("PREFECT_SERVER_API_AUTH_STRING", None)
    if servers.authentication:
        variables["PREFECT_SERVER_API_AUTH_STRING"] = secret("PREFECT_API_AUTH_STRING")
    return processes.start(record, [*_GUARDED, "prefect", str(listener.fileno())], variables, url, listener)


def start_mlflow(record: Path, home: Path, servers: Servers) -> Background:
    """Start MLflow's server on a free port of this machine.

    Args:
        record: The file that records the process.
        home: The home folder.
        servers: The settings of the servers.

    Returns:
        The process, with the server's address.
    """
    listener = listen_again(record, MLFLOW_PORT)
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    database = servers.mlflow_database or f"sqlite:///{home / 'mlflow.db'}"
    files = servers.artifacts or str(home / "mlflow-artifacts")
    # Its background jobs would start seven processes that nothing here uses.
    variables = stack_environment(home) | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    if not servers.authentication:
        command = [*_GUARDED, "mlflow", str(listener.fileno()), database, files]
        return processes.start(record, command, variables, url, listener)
    # The command mlflow server opens its port itself.
    listener.close()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database, "--artifacts-destination", files, "--app-name", "basic-auth"]
    return processes.start(record, command, variables | _mlflow_authentication(record, home, servers), url)


def start_worker(record: Path, home: Path, prefect: str, mlflow: str, pool: str) -> Background:
    """Start a worker.

    Args:
        record: The file that records the process.
        home: The home folder.
        prefect: The address of Prefect's server.
        mlflow: The address of MLflow's server, for links to its pages.
        pool: The work pool, which is created where it does not exist.

    Returns:
        The process, with the address of the pool's page.
    """
    command = [sys.executable, "-m", "prefect", "--no-prompt", "worker", "start"]
    command += ["--pool", pool, "--type", "process", "--name", pool]
    variables = environment_with_login(home, f"{prefect}/api") | {"PEDIGREE_MLFLOW_PAGES": mlflow}
    # As in prefect.yaml: runs of this pool take no variables from outside.
    variables["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] = HEARTBEAT
    return processes.start(record, command, variables, f"{prefect}/work-pools/work-pool/{pool}")


def _mlflow_authentication(record: Path, home: Path, servers: Servers) -> dict[str, str]:
    """Write MLflow's file of its login; the administrator is whoever starts the server.

    Returns:
        Environment variables that name the file and the administrator, of whose password MLflow keeps a hash.
    """
    file = record.with_name("mlflow-authentication.ini")
    database = servers.mlflow_database or f"sqlite:///{home / 'mlflow-users.db'}"
    # A percent sign would begin a reference to another setting of the file.
    file.write_text(_AUTHENTICATION.format(database=database.replace("%", "%%")), encoding="utf-8")
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(file),
        "MLFLOW_AUTH_ADMIN_USERNAME": secret("MLFLOW_TRACKING_USERNAME"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": secret("MLFLOW_TRACKING_PASSWORD"),
        # It signs forms of MLflow's pages; a new key at each start only invalidates forms that are open.
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
    }


def listen_again(record: Path, first: int, host: str = LOOPBACK) -> socket.socket:
    """Listen where the server did before, or else on the first free port, so that nobody takes it while it starts.

    Its address stands in bookmarks, in messages and in settings, which a port that has become free must not outdate.

    Args:
        record: The file that records the process; the port is kept beside it.
        first: The first port that it may have.
        host: The address of this machine to listen on.

    Returns:
        The listening socket.

    Raises:
        PedigreeError: A hundred ports are taken.
    """
    before = port_file(record)
    with suppress(OSError, ValueError, OverflowError):
        return _listen(host, int(before.read_text(encoding="utf-8")))
    for port in range(first, first + 100):
        with suppress(OSError, OverflowError):
            listener = _listen(host, port)
            before.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            before.write_text(str(listener.getsockname()[1]), encoding="utf-8")
            return listener
    raise PedigreeError(f"All ports from {first} to {first + 99} are taken: end what listens there.")


def port_file(record: Path) -> Path:
    """Return the file that keeps the port of a server beside its record."""
    return record.with_suffix(".port")


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # A port whose last server has just stopped counts as free.
    return socket.create_server(address[:2], family=family, backlog=1024)
