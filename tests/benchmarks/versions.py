"""Dataset versions beside DVC, Oxen and bare Lance: docs/explanation/speed-of-versions.md shows what it printed.

python -m tests.benchmarks.versions FOLDER COUNT... [--programs DIR]

FOLDER keeps the drawn pictures and is where all else is written and removed again. DIR holds the programs of an
environment with dvc and oxenai; without it they are looked for on PATH.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tests.benchmarks.pictures import make_pictures

STAGES = ("cold", "nothing new", "1% more", "diff", "checkout of the older")
# How many times faster than DVC a stage is meant to be.
_BARS = {"cold": 1, "nothing new": 3, "1% more": 4}
_OXEN = Path(__file__).with_name("oxen_repository.py")


@dataclass(frozen=True)
class Run:
    """What one process took: seconds in all and of CPU, both without imports where it says so, and its peak in MB."""

    seconds: float
    cpu: float
    work: float | None  # Seconds after the imports.
    peak: float
    answer: str = ""


@dataclass(frozen=True)
class Place:
    """A tool's own folder, the first pictures and those that come later, and where the programs are."""

    root: Path
    first: list[Path]
    more: list[Path]
    programs: str

    @property
    def pictures(self) -> Path:
        """The tool's own copy of the pictures."""
        return self.root / "pictures"

    def put(self, pictures: Sequence[Path]) -> None:
        """Copy pictures into the tool's folder."""
        for picture in pictures:
            path = self.pictures / picture.parent.name / picture.name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, path)

    def run(self, *commands: Sequence[str | Path]) -> Run:
        """Run programs one after the other in the tool's folder, and add up what they took."""
        runs = [_run([str(word) for word in command], self.root, self.programs) for command in commands]
        works = [run.work for run in runs if run.work is not None]
        return Run(
            sum(run.seconds for run in runs),
            sum(run.cpu for run in runs),
            sum(works) if works else None,
            max(run.peak for run in runs),
            runs[-1].answer,
        )

    def size(self, *names: str) -> int:
        """Count the bytes of files below these folders."""
        return sum(path.stat().st_size for name in names for path in (self.root / name).rglob("*") if path.is_file())


Measured = tuple[dict[str, Run], int]


def _run(command: list[str], folder: Path, programs: str) -> Run:
    environment = {
        **os.environ,
        "PATH": programs,
        "PYTHONPATH": str(Path.cwd()),
        "HOME": str(folder),
        "DVC_NO_ANALYTICS": "1",
    }
    start = perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE)  # noqa: S603 - our own
    assert process.stdout
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {output}")
    try:
        answer = json.loads(output)
    except ValueError:
        answer = {}
    answer = answer if isinstance(answer, dict) else {}
    cpu = answer.get("cpu", usage.ru_utime + usage.ru_stime)
    return Run(seconds, cpu, answer.get("seconds"), usage.ru_maxrss / 1024, str(answer.get("answer", "")))


def work(*words: str | Path) -> list[str | Path]:
    """Name a piece of work of this Python."""
    return [sys.executable, "-m", "tests.benchmarks.work", *words]


def pedigree(kind: str, site: Place) -> Measured:
    """Measure Pedigree's line, its diff and its checkout."""
    site.put(site.first)
    line = work(kind, site.pictures, site.root / "store")
    runs = {"cold": site.run(line), "nothing new": site.run(line)}
    site.put(site.more)
    runs["1% more"] = site.run(line)
    older, newer = runs["cold"].answer, runs["1% more"].answer
    runs["diff"] = site.run(work("diff", site.root / "store", older, newer))
    runs["checkout of the older"] = site.run(work("checkout", site.root / "store", older, site.root / "out"))
    return runs, site.size("store")


def decoding(site: Place) -> Measured:
    """Measure what nobody who decodes can go below: one process decodes the first pictures and does nothing else."""
    site.put(site.first)
    return {"cold": site.run(work("decode", site.pictures))}, 0


def bare_lance(site: Place) -> Measured:
    """Measure a Lance table of bytes and their SHA-256, which has no word for versions' differences."""
    site.put(site.first)
    write = work("lance-write", site.pictures, site.root / "table.lance")
    runs = {"cold": site.run(write)}
    site.put(site.more)
    runs["1% more"] = site.run([*write, str(len(site.first))])
    runs["checkout of the older"] = site.run(work("lance-export", site.root / "table.lance", site.root / "out"))
    return runs, site.size("table.lance")


def dvc(site: Place) -> Measured:
    """Measure dvc add and dvc push to a folder, which is what makes a version that survives the working copy."""
    site.put(site.first)
    git = ["git", "-c", "user.name=B", "-c", "user.email=b@example.org"]
    site.run(
        [*git, "init", "-q"], ["dvc", "init", "-q"], ["dvc", "remote", "add", "-q", "-d", "copy", site.root / "copy"]
    )
    version = (["dvc", "add", "-q", "pictures"], ["dvc", "push", "-q"])
    keep = ([*git, "add", "pictures.dvc", ".gitignore"], [*git, "commit", "-q", "-m", "pictures"])
    runs = {"cold": site.run(*version)}
    site.run(*keep)
    runs["nothing new"] = site.run(version[0])
    site.put(site.more)
    runs["1% more"] = site.run(*version)
    site.run(*keep)
    runs["diff"] = site.run(["dvc", "diff", "--json", "HEAD~1", "HEAD"])
    site.run([*git, "checkout", "-q", "HEAD~1"])
    shutil.rmtree(site.pictures)
    runs["checkout of the older"] = site.run(["dvc", "checkout", "-q"])
    return runs, site.size("copy", ".dvc/cache")


def oxen(site: Place) -> Measured:
    """Measure Oxen's add and commit; its Python package has no diff of two commits."""
    site.put(site.first)
    ask: Callable[[str], list[str | Path]] = lambda kind: ["python", _OXEN, kind, site.root]  # noqa: E731
    site.run(ask("init"))
    runs = {"cold": site.run(ask("version")), "nothing new": site.run(ask("add"))}
    site.put(site.more)
    runs["1% more"] = site.run(ask("version"))
    shutil.rmtree(site.pictures)
    runs["checkout of the older"] = site.run(ask("older"))
    return runs, site.size(".oxen")


TOOLS: dict[str, Callable[[Place], Measured]] = {
    "Pedigree": lambda site: pedigree("line", site),
    "Pedigree, only hashed": lambda site: pedigree("hashed", site),
    "decoding alone": decoding,
    "bare Lance": bare_lance,
    "DVC": dvc,
    "Oxen": oxen,
}


def print_count(folder: Path, count: int, programs: str, tools: Sequence[str]) -> None:
    """Measure every tool on so many pictures, and print a row for each."""
    pictures = make_pictures(folder / "pictures", count + count // 100)
    first, more = pictures[:count], pictures[count:]
    print(f"\n{count:,} pictures of {sum(path.stat().st_size for path in first) / 2**20:,.0f} MB\n")
    print("|", " | ".join(["seconds (of CPU)", *STAGES, "peak MB", "bytes stored / of originals"]), "|")
    print("|---" * (len(STAGES) + 3) + "|")
    measured: dict[str, dict[str, Run]] = {}
    for name in tools:
        root = folder / "run"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        runs, size = TOOLS[name](Place(root, first, more, programs))
        measured[name] = runs
        cells = [_cell(runs.get(stage)) for stage in STAGES]
        share = size / sum(path.stat().st_size for path in pictures)
        print(
            "|",
            " | ".join([name, *cells, f"{max(run.peak for run in runs.values()):,.0f}", f"{share:.3f}"]),
            "|",
            flush=True,
        )
        shutil.rmtree(root)
    if {"Pedigree", "DVC"} <= measured.keys():
        _show_bars(measured["Pedigree"], measured["DVC"])


def _show_bars(ours: dict[str, Run], dvc_runs: dict[str, Run]) -> None:
    """Print how many times faster than DVC each stage was, as work and with all imports, beside what is wanted."""
    print()
    for stage, wanted in _BARS.items():
        work_seconds, whole, other = ours[stage].work or 0.0, ours[stage].seconds, dvc_runs[stage].seconds
        times = f"{other / work_seconds:.2f} times faster than DVC, with imports {other / whole:.2f}"
        print(f"{stage}: {times} (at least {wanted})")


def _cell(run: Run | None) -> str:
    if run is None:
        return "-"
    return f"{run.seconds if run.work is None else run.work:.2f} ({run.cpu:.2f})"


def main() -> None:
    """Print a table for each count."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--programs", type=Path)
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=list(TOOLS))
    args = parser.parse_args()
    path = f"{args.programs.resolve()}:{os.environ['PATH']}" if args.programs else os.environ["PATH"]
    tools = [name for name in args.tools if name.startswith(("Pedigree", "decoding", "bare")) or _installed(name, path)]
    for count in args.counts:
        print_count(args.folder.resolve(), count, path, tools)


def _installed(name: str, path: str) -> bool:
    command = ["dvc", "--version"] if name == "DVC" else ["python", "-c", "import oxen"]
    try:
        done = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        done = None
    if done is None or done.returncode:
        print(f"{name} is left out: it is not among the programs.")
        return False
    return True


if __name__ == "__main__":
    main()
