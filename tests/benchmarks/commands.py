"""What whole commands cost, imports and servers included, beside ``dvc add`` on the same photographs.

python -m tests.benchmarks.commands FOLDER [--images 5050] [--programs DIR] [--rounds 3]

FOLDER gets the pictures, which stay, and a folder ``site`` with source, store and MLflow, which is removed first. DIR
holds the programs of an environment with dvc; without it they are looked for on PATH. No Prefect server may run.
Each row is of a process and its children: seconds by the clock, of CPU, and the peak of the largest one in MB.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tests.benchmarks.pictures import make_pictures

# All but dvc's are run in the site's folder; of equal outlines none would be left for the validation split.
_SETTINGS = """
source: {url: photos}
store: {url: store}
dataset: {min_images_per_class: 3, near_duplicate_bits: 0}
backbone: {weights: random, size: 75, cut: mixed0}
gate: {rules: [], needs: no-harm, serve_check: false}
"""
_SETUP, _SAY = ("-c", "settings.yaml"), ("--why", "a test", "--by", "me")
_COMMANDS: Mapping[str, Sequence[str]] = {
    "pedigree data rebuild, nothing new": ("data", "rebuild", *_SETUP),
    "pedigree retrain, nothing new": ("retrain", *_SETUP),
    "pedigree retrain, a wrong source folder": ("retrain", *_SETUP, "--set", "source.url=nowhere"),
    "pedigree model list": ("model", "list", *_SETUP),
    "pedigree --help": ("--help",),
}
# Each of them changes the ledger, so they come after all runs that find nothing new; they end as they began.
_DECISIONS: Mapping[str, Sequence[str]] = {
    "pedigree model promote": ("model", "promote", "2", "--instead-of", "1", *_SETUP, *_SAY),
    "pedigree model rollback": ("model", "rollback", *_SETUP, *_SAY),
    "pedigree model lift": ("model", "lift", "2", *_SETUP, *_SAY),
    "pedigree model hold": ("model", "hold", "2", *_SETUP, *_SAY),
    "pedigree model lift, a hold": ("model", "lift", "2", *_SETUP, *_SAY),
}
# What has to be done once: a second version, which the gate rejects, gives a person something to decide.
_FIRST: Mapping[str, Sequence[str]] = {
    "pedigree data rebuild, all new": ("data", "rebuild", *_SETUP),
    "pedigree retrain, all new": ("retrain", *_SETUP),
    "pedigree retrain, another seed": (
        "retrain",
        *_SETUP,
        "--set",
        "training.seed=1",
        "--set",
        "gate.needs=improvement",
    ),
    "pedigree retrain, nothing new since a decision": ("retrain", *_SETUP),
    "pedigree data rebuild, nothing new since a decision": ("data", "rebuild", *_SETUP),
}
# A wrong folder is an error, and the only one here.
_FAILS = {"pedigree retrain, a wrong source folder"}


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds by the clock and of CPU, and its peak in MB."""

    wall: float
    cpu: float
    peak: float


def main() -> None:
    """Print a row for each command and round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=5050)
    parser.add_argument("--programs", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    folder = given.folder.absolute()
    path = f"{given.programs.absolute()}:{os.environ['PATH']}" if given.programs else os.environ["PATH"]
    environment = {**os.environ, "PATH": path, "HOME": str(folder), "DVC_NO_ANALYTICS": "1"}
    environment.pop("PREFECT_API_URL", None)
    site = make_site(folder, given.images)
    pedigree = [sys.executable, "-c", "from flows.cli.app import main; main()"]
    environment["PYTHONPATH"] = str(Path.cwd())
    print("| command | seconds | of CPU | peak MB |\n|---|---|---|---|")
    for name, arguments in _FIRST.items():
        _show(name, run([*pedigree, *arguments], site, environment))
    dvc = prepare_dvc(site, environment)
    for _ in range(given.rounds):
        if dvc:
            _show("dvc add, nothing new", run(["dvc", "add", "-q", "photos"], site, environment))
        for name, arguments in _COMMANDS.items():
            _show(name, run([*pedigree, *arguments], site, environment, fails=name in _FAILS))
    for _ in range(given.rounds):
        for name, arguments in _DECISIONS.items():
            _show(name, run([*pedigree, *arguments], site, environment))


def make_site(folder: Path, images: int) -> Path:
    """Copy the pictures into a fresh site, and write its settings."""
    site = folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    for picture in make_pictures(folder / "pictures", images):
        path = site / "photos" / picture.parent.name / picture.name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, path)
    (site / "settings.yaml").write_text(_SETTINGS)
    return site


def prepare_dvc(site: Path, environment: Mapping[str, str]) -> bool:
    """Let DVC add the photographs once; return False where it is not installed."""
    if not shutil.which("dvc", path=environment["PATH"]):
        print("DVC is left out: it is not among the programs.")
        return False
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "add", "-q", "photos"]):
        run(command, site, environment)
    return True


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], *, fails: bool = False) -> Cost:
    """Run a command in a folder, and return what it took."""
    started = perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own, and dvc
        command, cwd=folder, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr
    complaint = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if bool(process.returncode) != fails:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {complaint}")
    return Cost(perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _show(name: str, cost: Cost) -> None:
    print(f"| {name} | {cost.wall:.2f} | {cost.cpu:.2f} | {cost.peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
