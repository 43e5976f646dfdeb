"""The classic way: a text file of features beside each file name, and a head on files that are read at random.

It does what TensorFlow's retrain.py did: one picture a call, features as text, a split by the hash of the file's name,
4,000 steps of plain gradient descent, a hundred files read in each, and a look at a hundred others every ten steps.

python -m tests.benchmarks.bottlenecks FOLDER CACHE SIZE
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STEPS, BATCH, RATE, LOOK = 4000, 100, 0.01, 10
_VALIDATION, _TEST = 10, 20

Files = dict[str, list[Path]]


def main(folder: Path, cache: Path, size: int) -> None:
    """Make the features that are missing, train the head on them, and test it."""
    splits: dict[str, Files] = {"train": {}, "validation": {}, "test": {}}
    for path in sorted(folder.rglob("*.jpg")):
        splits[_split(path)].setdefault(path.parent.name, []).append(cache / path.parent.name / f"{path.name}.txt")
    _make_features(folder, cache, size)
    classes = sorted(splits["train"])
    chance = np.random.default_rng(0)
    weights = np.zeros((len(_read(splits["train"][classes[0]][0])), len(classes)))
    bias = np.zeros(len(classes))
    for step in range(STEPS):
        features, truth = _sample(splits["train"], classes, chance)
        error = (_probabilities(features @ weights + bias) - np.eye(len(classes))[truth]) / BATCH
        weights -= RATE * features.T @ error
        bias -= RATE * error.sum(axis=0)
        if step % LOOK == 0:
            features, truth = _sample(splits["validation"], classes, chance)
            (features @ weights + bias).argmax(axis=1)
    for label in classes:
        for path in splits["test"].get(label, []):
            (_read(path) @ weights + bias).argmax()


def _make_features(folder: Path, cache: Path, size: int) -> None:
    """Look for every picture's file, and make those that are not there."""
    import keras
    import tensorflow as tf

    network = keras.applications.InceptionV3(
        include_top=False, weights=None, pooling="avg", input_shape=(size, size, 3)
    )
    call = tf.function(lambda pixels: network(pixels, training=False))
    for path in sorted(folder.rglob("*.jpg")):
        target = cache / path.parent.name / f"{path.name}.txt"
        if not target.exists():
            pixels = tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(str(path)), channels=3), (size, size))
            values = call(pixels[None] / 127.5 - 1).numpy()[0]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(",".join(str(value) for value in values))


def _split(path: Path) -> str:
    percent = int(hashlib.sha1(str(path).encode(), usedforsecurity=False).hexdigest(), 16) % 100
    return "validation" if percent < _VALIDATION else "test" if percent < _TEST else "train"


def _sample(files: Files, classes: list[str], chance: np.random.Generator) -> tuple[NDArray[np.float64], list[int]]:
    truth = [int(chance.integers(len(classes))) for _ in range(BATCH)]
    paths = [files[classes[label]][int(chance.integers(len(files[classes[label]])))] for label in truth]
    return np.stack([_read(path) for path in paths]), truth


def _read(path: Path) -> NDArray[np.float64]:
    return np.array([float(value) for value in path.read_text().split(",")])


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
