"""The two engines of the network in turns: bare, within a run's embedding, and how soon a process has its first answer.

docs/explanation/decisions/models.md shows what it printed. Ten minutes on two cores:

    python -m tests.benchmarks.engines [--rounds 5] [--weights FILE]

FILE is one of Keras's InceptionV3 files; without it the weights are random.
"""

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from configs import schema
from configs.cores import count_cores
from configs.schema import Settings
from configs.sections import Source
from tasks.domain.hashing import sha256_of_bytes
from tasks.modeling.backbone.backbone import Backbone, with_engine
from tasks.modeling.backbone.loading import load_backbone
from tasks.modeling.backbone.self_test import check_determinism
from tests.benchmarks import embedding
from tests.servers import ROOT

ENGINES = ("tensorflow", "onnxruntime")
# Restores a backbone from a file and its facts, computes one picture's features, and prints what that took.
FIRST = """
import json, re, sys, time
from pathlib import Path
import numpy as np
from tasks.modeling.backbone.backbone import restore_backbone
backbone = restore_backbone(Path(sys.argv[1]).read_bytes(), json.loads(sys.argv[2]))
backbone.network(np.zeros((backbone.size, backbone.size, 3), np.uint8))
# What getrusage tells begins with the memory of whoever started this process.
peak = re.search("VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())
print(time.process_time(), int(peak[1]) / 1024)
"""


def main() -> None:
    """Print what each engine computes a second, how far their features are apart, and what a first answer costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    backbones = _backbones(given.weights)
    with TemporaryDirectory() as folder:
        settings = Settings(source=Source(url="none"), store=schema.Store(url=str(Path(folder, "store"))))
        images = embedding.fill(settings)[: given.rounds * embedding.IMAGES]
        _print_rates(backbones, settings, images)
        _print_differences(backbones, settings, images)
        for name, backbone in backbones.items():
            _print_first_answer(name, backbone, Path(folder))


def _backbones(weights: Path | None) -> dict[str, Backbone]:
    chosen = schema.Backbone(weights="random")
    data = weights.read_bytes() if weights else b""
    if weights:
        chosen = schema.Backbone(weights=str(weights), sha256=sha256_of_bytes(data))
    loaded = load_backbone(chosen, data)
    return {engine: with_engine(loaded, engine) for engine in ENGINES}


def _print_rates(backbones: dict[str, Backbone], settings: Settings, images: list[str]) -> None:
    columns = [(name, way) for name in backbones for way in ("bare", "end to end")]
    measured: dict[tuple[str, str], list[tuple[float, float]]] = {column: [] for column in columns}
    for backbone in backbones.values():
        check_determinism(backbone)
    for start in range(0, len(images), embedding.IMAGES):
        part = images[start : start + embedding.IMAGES]
        pixels = list(embedding.pixels_of(settings, part))
        for name, backbone in backbones.items():
            measured[name, "bare"].append(embedding.rates(partial(embedding.bare_loop, backbone, pixels)))
            work = partial(embedding.end_to_end, backbone, settings, part)
            measured[name, "end to end"].append(embedding.rates(work))
    rates = {column: np.array(values) for column, values in measured.items()}
    print(f"{count_cores()} threads, {len(images)} photographs in turns of {embedding.IMAGES}, mixed10 at 299 px\n")
    print("| engine | way | a second | a second of CPU | CPU, of the bare engine | CPU, of TensorFlow |")
    print("|---|---|---|---|---|---|")
    for (name, way), values in rates.items():
        of_bare, of_tensorflow = values / rates[name, "bare"], values / rates[ENGINES[0], way]
        wall, cpu = np.median(values, axis=0)
        shares = [f"{np.median(ratio[:, 1]):.3f}" for ratio in (of_bare, of_tensorflow)]
        print(f"| {name} | {way} | {wall:.2f} | {cpu:.2f} | {shares[0]} | {shares[1]} |", flush=True)


def _print_differences(backbones: dict[str, Backbone], settings: Settings, images: list[str]) -> None:
    first, second = (
        np.stack([backbone.network(pixels) for pixels in embedding.pixels_of(settings, images[:20])])
        for backbone in backbones.values()
    )
    apart = np.abs(first - second)
    print(f"\nfeatures at most {apart.max():.2g} apart, of at most {first.max():.3g} and {first.mean():.3g} on average")


def _print_first_answer(name: str, backbone: Backbone, folder: Path) -> None:
    path = folder / name
    path.write_bytes(backbone.to_bytes())
    command = [sys.executable, "-c", FIRST, str(path), json.dumps(backbone.facts)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    cpu, megabytes = map(float, done.stdout.split())
    print(f"first answer of a process, {name}: {cpu:.2f} s of CPU, {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
