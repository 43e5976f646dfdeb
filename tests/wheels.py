"""A wheel of this checkout, installed into an environment that holds nothing else but the packages it depends on."""

import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ROOT


@dataclass(frozen=True, slots=True)
class Installed:
    """An installation of a wheel.

    Attributes:
        wheel: The wheel itself.
        python: The interpreter of the environment.
        program: The command line.
    """

    wheel: Path
    python: Path
    program: Path


def install_wheel(folder: Path) -> Installed:
    """Build a wheel and install it into an empty environment; dependencies are those of this environment."""
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    (wheel,) = folder.glob("*.whl")
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
    programs = folder / "venv" / "bin"
    uv = str(Path(sys.executable).with_name("uv"))
    _run(uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(programs / "python"), str(wheel))
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # A line of a .pth adds that folder alone, and not the checkout that a .pth inside it names.
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return Installed(wheel, programs / "python", programs / "pedigree")


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own build
