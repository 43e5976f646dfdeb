"""The kept stores, unpacked where a test wants them."""

import sqlite3
import tarfile
from pathlib import Path

from configs.load import read_settings
from configs.schema import Settings

HERE = Path(__file__).parent
# Where the kept nights ran, as MLflow's database names it.
MADE_IN = "/tmp/pedigree-kept"  # noqa: S108 - an address in an archive, never a place to write


def unpack(name: str, folder: Path) -> None:
    """Unpack a kept store with its photographs and its MLflow, whose addresses then name this folder."""
    with tarfile.open(HERE / f"{name}.tar.xz") as file:
        file.extractall(folder, filter="data")
    with sqlite3.connect(folder / "home" / "mlflow.db") as database:
        _move(database, MADE_IN, str(folder))
    database.close()


def settings_in(folder: Path) -> Settings:
    """Read the settings that the kept nights ran with; PEDIGREE_HOME must name the folder's ``home``."""
    return read_settings(folder / "settings.yaml", [f"store.url={folder / 'store'}"])


def _move(database: sqlite3.Connection, old: str, new: str) -> None:
    """Replace an address in every text of a database."""
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        for _, column, kind, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall():
            if kind.startswith(("VARCHAR", "TEXT", "CLOB")):
                database.execute(
                    f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE "{column}" LIKE ?',  # noqa: S608
                    (old, new, f"%{old}%"),
                )
