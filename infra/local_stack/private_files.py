"""What lies in the home folder is for its owner alone, also where an older Pedigree made it."""

import os
from pathlib import Path

from configs.errors import PedigreeError

_FOLDERS = ("stack", "prefect", "mlflow-artifacts", "demo")
_FILES = ("mlflow.db", "mlflow-users.db", "unexpected-error.txt")
# A store may lie there too; its rights stay as they are, since a group may share it.


def restrict_permissions(home: Path) -> None:
    """Take what Pedigree keeps in its home folder away from others, and the folder itself where it holds nothing else.

    A folder that holds other things as well may be shared by its owner's will: PEDIGREE_HOME can name any.

    Raises:
        PedigreeError: Something there belongs to somebody else, who could read the password of the servers.
    """
    folders = [home / name for name in _FOLDERS]
    if {entry.name for entry in home.iterdir()} <= {*_FOLDERS, *_FILES, "store"}:
        folders.append(home)
    try:
        for path in filter(Path.is_dir, folders):
            path.chmod(0o700)
        for path in filter(Path.is_file, [*(home / name for name in _FILES), *(home / "stack").iterdir()]):
            path.chmod(0o600)
    except PermissionError as error:
        message = (
            f"{error.filename} belongs to another user of this machine: set PEDIGREE_HOME to a folder of your own."
        )
        raise PedigreeError(message) from None


def owner_only() -> None:
    """Let what this process and those below it make from now on be for its owner alone."""
    os.umask(0o077)
