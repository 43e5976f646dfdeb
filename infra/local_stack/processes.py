"""Programs that go on in the background: apart from the terminal, found again by a file, ended with all they began."""

import json
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from configs.errors import PedigreeError


@dataclass(frozen=True, slots=True)
class Background:
    """A program that was started: its process, when that began (ids are given again), and what it serves."""

    pid: int
    started: float
    address: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        with suppress(psutil.NoSuchProcess):
            return not self.replaced and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        return False

    @property
    def replaced(self) -> bool:
        """Whether its id belongs to another process now."""
        with suppress(psutil.NoSuchProcess):
            return abs(psutil.Process(self.pid).create_time() - self.started) > 1
        return False


def start(
    record: Path,
    command: Sequence[str],
    environment: Mapping[str, str],
    address: str,
    listener: socket.socket | None = None,
) -> Background:
    """Start a program in a session of its own, its words in a log beside the record, which its owner alone may read.

    Args:
        record: The file by which the program is found again.
        command: The program and its arguments.
        environment: All that its environment holds.
        address: What it serves.
        listener: A socket that it takes over under the same descriptor, and that is closed here.

    Returns:
        The program as it was started.
    """
    record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_file = record.with_suffix(".log")
    log_file.touch(mode=0o600)
    with log_file.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - the stack's own commands
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
            pass_fds=[listener.fileno()] if listener else (),
        )
    if listener:
        listener.close()
    background = Background(process.pid, psutil.Process(process.pid).create_time(), address)
    record.write_text(json.dumps(asdict(background)), encoding="utf-8")
    return background


def read_background(record: Path) -> Background | None:
    """Read what was started, whether or not it still runs."""
    try:
        return Background(**json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def stop(record: Path, patience: float = 15) -> None:
    """Ask the program to end, then end whatever it left behind, then forget it."""
    background = read_background(record)
    if background:
        family = _family(background)
        terminate([process for process in family if process.pid == background.pid], patience)
        terminate(family, patience)
    record.unlink(missing_ok=True)


def _family(background: Background) -> list[psutil.Process]:
    """Find the process, all below it, and what stayed in its session after it died."""
    if background.replaced:
        return []
    below = psutil.Process(background.pid).children(recursive=True) if background.alive else []
    session = [process for process in psutil.process_iter() if _session(process.pid) == background.pid]
    return list({process.pid: process for process in [*session, *below]}.values())


def _session(pid: int) -> int | None:
    with suppress(OSError):
        return os.getsid(pid)
    return None


def terminate(processes: Sequence[psutil.Process], patience: float) -> None:
    """Ask processes to end, and kill those that have not after so many seconds."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(processes, timeout=patience)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=patience)


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


def restrict_new_files() -> None:
    """Let what this process and those below it make from now on be for its owner alone."""
    os.umask(0o077)
