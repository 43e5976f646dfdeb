"""What the doctor looks at on this machine: Python and packages, disk, ports, and the clock."""

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from packaging.requirements import Requirement

from infra import stack
from infra.doctor.finding import Finding
from infra.local_stack.servers import MLFLOW_PORT, PREFECT_PORT

_OLDEST, _NEWEST = (3, 11), (3, 13)
_GIGABYTE = 10**9
# Free space below which a run will fail soon, and below which it is tight: photographs are kept, and models.
_NO_SPACE, _LITTLE_SPACE = 1 * _GIGABYTE, 10 * _GIGABYTE
# No clock that is right is before this code.
_WRITTEN = datetime(2026, 11, 1, tzinfo=UTC)


def check_python(extras: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Check Python's version, and that every package is installed in a version that fits.

    Args:
        extras: The extras of Pedigree that the settings ask for.

    Yields:
        One finding for Python, and one for the packages.
    """
    version = platform.python_version()
    if _OLDEST <= sys.version_info[:2] <= _NEWEST:
        yield Finding("python", "ok", f"{version} in {sys.prefix}")
    else:
        yield Finding("python", "fail", f"{version} is none of 3.11 to 3.13", "install Pedigree into one of these")
    wrong = list(_unfit_packages(extras))
    extra = f"[{','.join(extras)}]" if extras else ""
    remedy = f"in a checkout run make demo, elsewhere install pedigree{extra} anew into an environment of its own"
    if wrong:
        yield Finding("packages", "fail", ", ".join(wrong[:4]), remedy)
    else:
        yield Finding("packages", "ok", "all are there, in versions that fit")


def _unfit_packages(extras: tuple[str, ...]) -> Iterator[str]:
    environments = [{"extra": extra} for extra in ("", *extras)]
    for text in importlib.metadata.requires("pedigree") or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker and not any(marker.evaluate(environment) for environment in environments):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{requirement.name} is lacking"
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} {version} is not {requirement.specifier}"


def check_disk(places: Mapping[str, Path]) -> Iterator[Finding]:
    """Check the free space, and that the home folder can be written.

    Args:
        places: The folders by what is kept there; they need not exist yet.

    Yields:
        One finding for each disk that is short of space, or one for all of them.
    """
    free = {name: shutil.disk_usage(existing_parent(folder)).free for name, folder in places.items()}
    short = {name: space for name, space in free.items() if space < _LITTLE_SPACE}
    remedy = "make room, or set PEDIGREE_HOME and store.url to a larger disk"
    for name, space in short.items():
        state = "fail" if space < _NO_SPACE else "warn"
        yield Finding(f"disk of {name}", "fail" if state == "fail" else "warn", f"{_size(space)} are free", remedy)
    if not short:
        yield Finding("disk", "ok", ", ".join(f"{_size(space)} free for {name}" for name, space in free.items()))
    home = places["home"]
    if os.access(existing_parent(home), os.W_OK | os.X_OK):
        yield Finding("home folder", "ok", f"{home} can be written")
    else:
        yield Finding("home folder", "fail", f"{home} cannot be written", "set PEDIGREE_HOME to a folder that can")


def existing_parent(folder: Path) -> Path:
    """Return a folder, or its nearest parent that exists."""
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _size(space: int) -> str:
    return f"{space / _GIGABYTE:,.1f} GB"


def check_ports(home: Path, host: str, service_port: int) -> Iterator[Finding]:
    """Check that the servers can listen; Prefect and MLflow take the next port that is free.

    Args:
        home: The home folder, whose own servers are no obstacle.
        host: The address on which the service listens.
        service_port: The port of the service; 0 for any.

    Yields:
        One finding.
    """
    running = {part.address.rpartition(":")[2] for part in stack.status(home).parts if part.state == "running"}
    ports = {"Prefect": PREFECT_PORT, "MLflow": MLFLOW_PORT, "the service": service_port}
    taken = {
        name: port
        for name, port in ports.items()
        if port and str(port) not in running and not _is_free(host if name == "the service" else "127.0.0.1", port)
    }
    if "the service" in taken:
        message = f"port {service_port} of the service is taken by another program: pedigree up takes the next free one"
        yield Finding("ports", "warn", message, "set serve.port for pedigree serve, or end what listens there")
    elif taken:
        names = ", ".join(f"{port} of {name}" for name, port in taken.items())
        yield Finding("ports", "ok", f"{names} is taken, and pedigree up takes the next one")
    else:
        yield Finding("ports", "ok", ", ".join(f"{port} for {name}" for name, port in ports.items()))


def _is_free(host: str, port: int) -> bool:
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False


def check_clock(now: datetime) -> Iterator[Finding]:
    """Check that this machine's clock can be right; beside the store's it is checked with the store.

    Args:
        now: What it shows.

    Yields:
        One finding.
    """
    text = f"{now:%Y-%m-%d %H:%M} (UTC)"
    if now < _WRITTEN:
        remedy = "set it, such as by switching on time synchronisation: S3 refuses requests of another time"
        yield Finding("clock", "fail", f"{text} cannot be now", remedy)
    else:
        yield Finding("clock", "ok", text)
