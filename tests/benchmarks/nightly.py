"""A run on 2,000 photographs and one on 1% more: by hand, with bottleneck files, and with Pedigree on each engine.

An hour on two cores, of which by hand takes a quarter a run; docs/explanation/speed.md shows what it printed:

    python -m tests.benchmarks.nightly FOLDER [--images 2000] [--size 299] [--ways pedigree onnxruntime by-hand]

FOLDER gets the drawn pictures, which stay, and all else, which is removed first. Pedigree works beside a Prefect
server, as they do after ``pedigree up``.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, product
from pathlib import Path
from time import perf_counter

from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tests.servers import prefect_server

_SIDE, _QUALITY = 400, 90  # About 37 KB, as photographs from the web are.
_SETTINGS = """
source: {{url: "{photos}"}}
store: {{url: "{store}"}}
backbone: {{weights: random, size: {size}, engine: {engine}}}
gate: {{rules: [served as evaluated], needs: no-harm}}
"""
WAYS = ("pedigree", "onnxruntime", "bottlenecks", "by-hand")
_RUNS = ("run 1", "run 2: 1% more", "run 3: nothing new")


def main() -> None:
    """Print a row for each way and run: wall seconds, seconds of all processors, and each run 2 against others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=299)
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--second-only", action="store_true", help="by hand, run 1 costs what run 2 costs")
    given = parser.parse_args()
    folder = given.folder.absolute()
    pictures = draw_pictures(folder / "drawn", given.images + given.images // 100)
    print("| way | run | wall seconds | CPU seconds |\n|---|---|---|---|", flush=True)
    with prefect_server(_fresh(folder / "prefect")) as server:
        os.environ["PREFECT_API_URL"] = server.api_url
        for way in given.ways:
            photos, state = _fresh(folder / "photos"), _fresh(folder / way)
            for run, count in zip(_RUNS, (given.images, len(pictures), len(pictures)), strict=True):
                _put(pictures[:count], photos)
                if not (given.second_only and way == "by-hand" and run != _RUNS[1]):
                    wall, cpu = _run(_command(way, photos, state, given.size), state)
                    print(f"| {way} | {run} | {wall:.1f} | {cpu:.1f} |", flush=True)


def draw_pictures(folder: Path, count: int) -> list[Path]:
    """Draw dogs, the same ones every time, those that are there already left as they are."""
    dogs = list(islice(_dogs(), count))
    paths = [folder / breed / f"{coat}-{seed:05}.jpg" for breed, coat, seed in dogs]
    with ProcessPoolExecutor() as pool:
        list(pool.map(_draw, dogs, paths, chunksize=16))
    return paths


def _dogs() -> Iterator[tuple[str, str, int]]:
    seed = 0
    while True:
        yield from ((breed, coat, seed) for coat, breed in product(COATS, BREEDS))
        seed += 1


def _draw(dog: tuple[str, str, int], path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(*dog, side=_SIDE).save(path, quality=_QUALITY)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _put(pictures: list[Path], folder: Path) -> None:
    for path in pictures:
        copy = folder / path.parent.name / path.name
        if not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)


def _command(way: str, photos: Path, state: Path, size: int) -> list[str]:
    if way == "by-hand":
        return [sys.executable, "-m", "tests.benchmarks.by_hand", str(photos), str(size)]
    if way == "bottlenecks":
        return [sys.executable, "-m", "tests.benchmarks.bottlenecks", str(photos), str(state / "cache"), str(size)]
    settings = state / "settings.yaml"
    engine = "tensorflow" if way == "pedigree" else way
    settings.write_text(_SETTINGS.format(photos=photos, store=state / "store", size=size, engine=engine))
    return [sys.executable, "-c", "from flows.cli.app import app; app()", "retrain", "-c", str(settings)]


def _run(command: list[str], state: Path) -> tuple[float, float]:
    """Run a process to its end, and return its wall seconds and those of all processors, its children's too."""
    environment = {**os.environ, "PEDIGREE_HOME": str(state / "home"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    started = perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: S603 - our own
    complaint = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(complaint.decode())
    return perf_counter() - started, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
