"""Background processes: started apart from the terminal, recorded in a file, stopped with all their children."""

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
    """A background process.

    Attributes:
        pid: Its process id.
        started: When it was started, in seconds since 1970; process ids are used again.
        address: The address that it serves.
    """

    pid: int
    started: float
    address: str

    @property
    def alive(self) -> bool:
        """Return whether this very process still runs."""
        with suppress(psutil.NoSuchProcess):
            return not self.replaced and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        return False

    @property
    def replaced(self) -> bool:
        """Return whether its id belongs to another process now."""
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
    """Start a program in a session of its own; its output goes to a log beside the record, for its owner only.

    Args:
        record: The file that records the process.
        command: The program and its arguments.
        environment: Its whole environment.
        address: The address that it serves.
        listener: A socket that it inherits under the same descriptor; it is closed here.

    Returns:
        The process, as recorded.
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
    return record_process(record, process.pid, address)


def record_process(record: Path, pid: int, address: str) -> Background:
    """Record a process in a file.

    Args:
        record: The file.
        pid: The process id.
        address: The address that it serves.

    Returns:
        The process, as recorded.
    """
    record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    background = Background(pid, psutil.Process(pid).create_time(), address)
    record.write_text(json.dumps(asdict(background)), encoding="utf-8")
    return background


def read_background(record: Path) -> Background | None:
    """Read the record of a process, whether or not it still runs; None where there is none."""
    try:
        return Background(**json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def stop(record: Path, patience: float = 15) -> None:
    """Stop a process, then whatever it left behind, and remove its record.

    Args:
        record: The file that records the process.
        patience: Seconds until a process that does not end is killed.
    """
    background = read_background(record)
    if background:
        family = _family(background)
        terminate([process for process in family if process.pid == background.pid], patience)
        terminate(family, patience)
    record.unlink(missing_ok=True)


def _family(background: Background) -> list[psutil.Process]:
    """Return the process, all below it, and what stayed in its session after it died."""
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
    """Terminate processes, and kill those that do not end.

    Args:
        processes: The processes.
        patience: Seconds until those that are left are killed.
    """
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(processes, timeout=patience)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=patience)


_FOLDERS = ("stack", "prefect", "mlflow-artifacts", "demo", "serving", "runs")
_FILES = ("mlflow.db", "mlflow-users.db", "unexpected-error.txt")
# A store in the home folder keeps its permissions, since a group may share it.


def restrict_permissions(home: Path) -> None:
    """Make what Pedigree keeps in its home folder readable for its owner only, and the folder too where it is its own.

    A folder that holds other things as well may be shared on purpose, since PEDIGREE_HOME can name any.

    Raises:
        PedigreeError: Something there belongs to another user, who could read the servers' password.
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
    """Set the umask, so that files of this process and of its children are readable for their owner only."""
    os.umask(0o077)
