"""What a run with 1% new photographs costs as the store grows, step by step, and how much memory it takes.

Fifteen minutes on two cores; docs/explanation/speed.md shows what it printed:

    python -m tests.benchmarks.growth FOLDER [--known 1000 10000 100000] [--precision float16] [--new] [--plot FILE]

What is known already is made up: names, perceptual hashes, 2,048 features an image in a cloud for each class. What is
new is drawn, and passes through InceptionV3 to mixed10 at 75 px with random weights. FOLDER is removed first. Seconds
of a step are by the clock. With --new no run comes before the one with 1% new, so no champion is compared.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tasks.domain.datasets.splits import Shares, assign_splits
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tasks.modeling.backbone.backbone import random_backbone
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tests.listings import in_columns
from tests.servers import prefect_server

_CLASSES, _BATCH, _SIZE = 100, 5000, 75
_DRAWN = 6  # So many steps have a line of their own in the plot: those that cost most.
_SETTINGS = """
source: {{url: "{photos}"}}
store: {{url: "{store}"}}
dataset: {{min_images_per_class: 3}}
backbone: {{weights: random, size: {size}, precision: {precision}}}
gate: {{rules: [], needs: no-harm, serve_check: false}}
"""


@dataclass(frozen=True)
class RunCost:
    """A run's status, its seconds by step, its seconds of CPU, and the peak of its memory in MB."""

    status: str
    seconds: Mapping[str, float]
    cpu: float
    peak: float


def main() -> None:
    """Print a table for each number of known images, and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--known", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--precision", default="float32", help="float16 takes half the disk")
    parser.add_argument("--new", action="store_true", help="only the run with 1%% new photographs")
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    root = given.folder.absolute()
    shutil.rmtree(root, ignore_errors=True)
    (root / "prefect").mkdir(parents=True)
    runs: dict[int, RunCost] = {}
    with prefect_server(root / "prefect") as server:
        os.environ["PREFECT_API_URL"] = server.api_url
        for stored in given.known:
            folder = root / str(stored)
            make_store(folder, stored, given.precision)
            if not given.new:
                _show(stored, "all known, never trained", _run(folder))
            _draw_more(folder, stored // 100)
            runs[stored] = _run(folder)
            _show(stored, "1% new", runs[stored])
            _show(stored, "nothing new", _run(folder))
            shutil.rmtree(folder)
    if given.plot:
        _plot(runs, given.plot)


def make_store(folder: Path, count: int, precision: str) -> None:
    """Make a source of so many files, and a store that has fetched and embedded all of them.

    Args:
        folder: Where both are put.
        count: The number of files.
        precision: How features are kept.
    """
    photos, store = folder / "photos", str(folder / "store")
    for number in range(count):
        path = photos / f"class {number % _CLASSES:03}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"known")
    snapshots, entries = Store(store).snapshots, list(open_bucket(str(photos)).entries())
    snapshots.record(str(photos), "2026-01-01T00:00:00+00:00", in_columns(entries))
    images = [sha256_of_bytes(_bytes_of(entry.key)) for entry in entries]
    for start in range(0, count, _BATCH):
        part = zip(images[start : start + _BATCH], entries[start : start + _BATCH], strict=True)
        Store(store).images.add([(_examined(image), _bytes_of(entry.key)) for image, entry in part])
    snapshots.add_contents(str(photos), zip(entries, images, strict=True))
    shares, groups = Shares(test=20, validation=15), {image: image for image in images}
    Store(store).splits.settle(lambda assignments: assign_splits(groups, assignments, shares))
    _embed(store, images, [int(entry.key[6:9]) for entry in entries], precision)
    text = _SETTINGS.format(photos=photos, store=store, size=_SIZE, precision=precision)
    (folder / "settings.yaml").write_text(text)


def _embed(store: str, images: Sequence[str], classes: Sequence[int], precision: str) -> None:
    backbone = replace(random_backbone("mixed10", _SIZE), precision=precision)
    Store(store).backbones.write(backbone.fingerprint, backbone.to_bytes(), backbone.facts)
    chance = np.random.default_rng(0)
    middles = chance.normal(size=(_CLASSES, backbone.width)).astype(np.float32)
    table = Store(store).features(backbone.fingerprint, backbone.width, precision)
    for start in range(0, len(images), _BATCH):
        names, labels = images[start : start + _BATCH], list(classes[start : start + _BATCH])
        noise = chance.normal(scale=4, size=(len(names), backbone.width)).astype(np.float32)
        table.add(names, middles[labels] + noise)


def _examined(image: str) -> ImageInfo:
    hashed = np.random.default_rng(int(image[:8], 16)).bytes(32)
    return ImageInfo(
        image, 500, 375, "JPEG", hashed, ImageProperties(brightness=0.5, contrast=0.2, sharpness=0.1, tone=0.5)
    )


def _bytes_of(key: str) -> bytes:
    """Make up the bytes of a known photograph: no two are the same, though all show the same picture."""
    return _PICTURE + key.encode()


def _picture() -> bytes:
    sink = io.BytesIO()
    draw(BREEDS[0], COATS[0], 0, side=64).save(sink, "JPEG")
    return sink.getvalue()


_PICTURE = _picture()


def _draw_more(folder: Path, count: int) -> None:
    for number in range(count):
        breed, coat = BREEDS[number % len(BREEDS)], COATS[number // len(BREEDS) % len(COATS)]
        path = folder / "photos" / f"class {number % _CLASSES:03}" / f"new {number:06}.jpg"
        draw(breed, coat, number).save(path)


def _run(folder: Path) -> RunCost:
    command = [sys.executable, "-c", "from flows.cli.app import app; app()", "retrain", "--json", "-c"]
    environment = {**os.environ, "PEDIGREE_HOME": str(folder / "home")}
    process = subprocess.Popen(  # noqa: S603 - our own command line
        [*command, str(folder / "settings.yaml")], env=environment, stdout=subprocess.PIPE, text=True
    )
    output = process.stdout.read() if process.stdout else ""
    _, _, used = os.wait4(process.pid, 0)
    outcome = json.loads(output)
    return RunCost(outcome["status"], outcome["seconds"], used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _show(stored: int, title: str, run: RunCost) -> None:
    steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in _largest(run.seconds))
    total = sum(run.seconds.values())
    print(
        f"| {stored:,} | {title} | {run.status} | {total:.1f} | {run.cpu:.0f} | {run.peak:,.0f} | {steps} |", flush=True
    )


def _largest(seconds: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    yield from sorted(((name, spent) for name, spent in seconds.items() if spent >= 0.1), key=lambda item: -item[1])


def _plot(runs: Mapping[int, RunCost], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    largest = max(runs)
    dearest = sorted(runs[largest].seconds, key=runs[largest].seconds.__getitem__, reverse=True)[:_DRAWN]
    lines = {"all steps": [sum(run.seconds.values()) for run in runs.values()]}
    lines |= {name: [max(run.seconds.get(name, 0), 0.1) for run in runs.values()] for name in dearest}
    figure, axes = plt.subplots(figsize=(7, 4.5))
    for name, seconds in lines.items():
        axes.plot(list(runs), seconds, marker="o", label=name, linewidth=3 if name == "all steps" else 1.5)
    axes.set(xscale="log", yscale="log", xlabel="images known", ylabel="seconds of a run with 1% new")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main()
