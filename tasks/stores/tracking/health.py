"""Whether MLflow answers, lets us in and is new enough."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.exceptions import MlflowException
from mlflow.utils.rest_utils import http_request

from configs.addresses import shown
from configs.errors import PedigreeError, SettingsError
from tasks.stores.tracking.client import (
    credentials,
    mlflow_at,
    unauthorized,
    unavailable,
)

SQLITE = "sqlite:///"
_PATIENCE = 10  # Seconds that a server may take to say that it is there.


def check_tracking(url: str) -> None:
    """Raise PedigreeError, within seconds, where MLflow does not answer, wants other credentials, or is too old."""
    if url.startswith(SQLITE):
        _check_database(url)
    elif url.startswith(("http://", "https://")):
        _check_server(url)
    else:
        message = (
            f"tracking.url {shown(url)} is no MLflow address: write http://…, https://… or sqlite:///path/mlflow.db."
        )
        raise SettingsError(message)


def _check_server(url: str) -> None:
    try:
        answer = http_request(  # type: ignore[no-untyped-call]
            credentials(url),
            "/api/2.0/mlflow/experiments/search",
            "GET",
            params={"max_results": 1},
            max_retries=0,
            timeout=_PATIENCE,
            raise_on_status=False,
        )
    except MlflowException as error:
        raise unavailable(url) from error
    if answer.status_code in {401, 403}:
        raise unauthorized(url)
    if answer.status_code >= 500:  # noqa: PLR2004
        raise unavailable(url)
    if not (answer.ok and answer.text.startswith("{")):
        message = (
            f"{shown(url)} answers, but not as MLflow does (HTTP status {answer.status_code}): correct tracking.url."
        )
        raise PedigreeError(message)


def _check_database(url: str) -> None:
    path = database_path(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create_database(path)
        with closing(sqlite3.connect(path, timeout=_PATIENCE)) as database:
            database.execute("BEGIN IMMEDIATE")
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"The MLflow database {path} cannot be written ({reason}): correct tracking.url or PEDIGREE_HOME."
        raise PedigreeError(message) from error
    _open_database(url)


def _create_database(path: Path) -> None:
    """Make the database aside and put it in place whole; MLflow's many steps survive neither a kill nor a rival."""
    with TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / "mlflow.db"
        _open_database(f"{SQLITE}{fresh}")
        with suppress(FileExistsError):
            path.hardlink_to(fresh)


def _open_database(url: str) -> None:
    with mlflow_at(url) as client:
        client.search_experiments(max_results=1)


def database_path(url: str) -> Path:
    """Name the file of an embedded MLflow database."""
    return Path(url.removeprefix(SQLITE)).absolute()
