"""What the doctor says of a machine."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.doctor import machine
from infra.doctor.machine import check_clock, check_disk, check_ports, check_python


def test_this_machine_can_run_pedigree() -> None:
    """Python and all packages of the installation fit; an extra that nobody declares changes nothing."""
    assert [(finding.name, finding.state) for finding in check_python(("dask",))] == [
        ("python", "ok"),
        ("packages", "ok"),
    ]


def test_a_package_of_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package outside its range and one that is lacking are each named, with the way to put it right."""
    requirements = ["pydantic<1", "no-such-package>=2", "dask>=2 ; extra == 'dask'", "rich"]
    monkeypatch.setattr(machine.importlib.metadata, "requires", lambda _name: requirements)  # type: ignore[attr-defined]
    _, packages = check_python()
    assert packages.state == "fail"
    assert "pydantic 2" in packages.message
    assert "no-such-package is lacking" in packages.message
    assert "dask" not in packages.message


def test_little_space_is_told_of_each_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two gigabytes are a warning, half of one stops a run; a folder that is not there yet is on its parent's disk."""
    usage = machine.shutil.disk_usage(tmp_path)  # type: ignore[attr-defined]
    for free, state in ((20, "ok"), (2, "warn"), (0.5, "fail")):
        monkeypatch.setattr(
            machine.shutil,  # type: ignore[attr-defined]
            "disk_usage",
            lambda _place, free=free: usage._replace(free=int(free * 10**9)),
        )
        first, *_ = check_disk({"home": tmp_path / "none" / "home"})
        assert first.state == state
        assert bool(first.remedy) == (state != "ok")


def test_a_port_that_another_program_has_is_told(tmp_path: Path) -> None:
    """The service's port stands in settings, so that it is a warning with a remedy."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        (finding,) = check_ports(tmp_path, "127.0.0.1", server.getsockname()[1])
    assert (finding.state, "serve.port" in finding.remedy) == ("warn", True)


def test_a_clock_that_cannot_be_right_stops_a_run() -> None:
    """A machine that believes to be in 1970 is told so."""
    (past,), (now,) = check_clock(datetime(1970, 1, 1, tzinfo=UTC)), check_clock(datetime.now(UTC))
    assert (past.state, now.state) == ("fail", "ok")
