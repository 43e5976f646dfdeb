"""The embedded MLflow database: made by MLflow, and checked without it, whose import takes more than a second."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from configs.errors import PedigreeError, ServiceUnavailableError
from configs.visible_text import shown

SQLITE = "sqlite:///"
# The layout that the locked MLflow makes and that embedded_registry reads and writes; MLflow itself takes any other.
_LAYOUT = "dc11669786a5"
_PATIENCE = 10  # Seconds that another writer may take.


def database_path(url: str) -> Path:
    """Return the file of an embedded MLflow database."""
    return Path(url.removeprefix(SQLITE)).absolute()


def check_database(url: str) -> None:
    """Check that the database can be written; make it where there is none.

    Args:
        url: The database's address.

    Raises:
        PedigreeError: It cannot be written, or MLflow cannot open it.
    """
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
    if not has_known_layout(url):
        _open_by_mlflow(url)


def has_known_layout(url: str) -> bool:
    """Check whether an address is that of a database with the tables that are known here."""
    if not url.startswith(SQLITE) or not database_path(url).exists():
        return False
    with suppress(sqlite3.Error), closing(sqlite3.connect(database_path(url), timeout=_PATIENCE)) as database:
        return list(database.execute("SELECT version_num FROM alembic_version")) == [(_LAYOUT,)]
    return False


@contextmanager
def transaction(url: str) -> Iterator[sqlite3.Connection]:
    """Open the database for reads and writes that become visible together, or not at all.

    Args:
        url: The database's address.

    Yields:
        The connection.

    Raises:
        ServiceUnavailableError: Another writer holds the database too long, or it cannot be written.
    """
    try:
        with closing(sqlite3.connect(database_path(url), timeout=_PATIENCE, isolation_level=None)) as database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
    except sqlite3.Error as error:
        raise ServiceUnavailableError(f"MLflow at {shown(url)} refused: {error}.") from error


def _create_database(path: Path) -> None:
    """Create the database elsewhere and link it into place; MLflow's many steps are not safe against kills or races."""
    with TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / "mlflow.db"
        _open_by_mlflow(f"{SQLITE}{fresh}")
        with suppress(FileExistsError):
            path.hardlink_to(fresh)


def _open_by_mlflow(url: str) -> None:
    from tasks.stores.tracking.client import mlflow_at

    with mlflow_at(url) as client:
        client.search_experiments(max_results=1)
