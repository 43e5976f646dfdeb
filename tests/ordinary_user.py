"""A world in which this user has not every right: tests run as root too, whom no file system refuses anything."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

_NOBODY = 65534


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Give up root's rights for a while, where this process has them; the system then asks for a file's own."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder that an ordinary user can reach, and remove it afterwards."""
    folder = Path(mkdtemp(prefix="pedigree-odd-"))
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        for part in (folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())):
            part.chmod(0o777)
        rmtree(folder)
