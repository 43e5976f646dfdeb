"""Answers photographs by the model in this folder, with NumPy, Pillow and ONNX Runtime alone.

    python predict.py PHOTOGRAPH ...     one line of JSON for each photograph
    python predict.py --check            whether this machine answers as the model was evaluated

In a program of your own: ``from predict import Model``, then ``Model.load().predict(data)`` with a file's bytes.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime

#: The folder of the model, in which this program lies.
FOLDER = Path(__file__).resolve().parent
# The files that the model consists of beside this program.
_CONFIG, _GRAPH, _SUMS, _CODE, _GOLDEN = "config.json", "model.onnx", "SHA256SUMS", "code", "golden"
_EXPECTED = "expected.json"
# ONNX Runtime's own word for the errors that are worth a line.
_ERRORS = 3
_REMEDY = "Install the very versions of requirements.txt, or fetch the folder again."

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Model:
    """The model of a folder, ready to answer.

    Attributes:
        config: What ``config.json`` says: labels, size, threshold, limits.
        session: The graph from pixels to probabilities.
        preprocess: The pixel function, which turns a file's bytes into the network's square or a rejection.
    """

    config: Mapping[str, Any]
    session: "onnxruntime.InferenceSession"
    preprocess: Callable[[bytes], Any]

    @classmethod
    def load(cls, folder: Path = FOLDER) -> "Model":
        """Load the model of a folder, by default of the one in which this program lies."""
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        return cls(config, _open_graph(folder / _GRAPH), _load_pixel_function(folder / _CODE, config))

    def predict(self, data: bytes) -> dict[str, Any]:
        """Answer a photograph from the bytes of its file; any threads may call this.

        Args:
            data: The bytes of a JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF file.

        Returns:
            ``label`` and its ``probability``; ``sure``, which is false where the answer is "I don't know"; the
            ``probabilities`` of all classes; and ``problem``, which says why a file has no label, else empty.
        """
        pixels = self.preprocess(data)
        if not isinstance(pixels, np.ndarray):
            problem = f"{pixels.reason.value}: {pixels.detail}"
            return {"label": None, "probability": None, "sure": False, "probabilities": None, "problem": problem}
        named = dict(zip(self.config["labels"], map(float, self.compute(pixels)), strict=True))
        label = max(named, key=named.__getitem__)
        sure = named[label] >= self.config["threshold"]
        return {
            "label": label,
            "probability": named[label],
            "sure": sure,
            "probabilities": named,
            "problem": "",
        }

    def compute(self, pixels: Pixels) -> NDArray[np.float32]:
        """Compute the calibrated probabilities of a square.

        Args:
            pixels: The network's square, of shape (size, size, 3).

        Returns:
            The probabilities, of shape (n_classes,).

        Raises:
            ValueError: They are no numbers.
        """
        probabilities: NDArray[np.float32] = self.session.run(["probabilities"], {"pixels": pixels[None]})[0][0]
        if not np.isfinite(probabilities).all():
            raise ValueError("the network turns this picture into values that are no numbers")
        return probabilities


def _open_graph(path: Path) -> "onnxruntime.InferenceSession":
    """Open the graph with one thread an operation, as it was evaluated, so that no number of cores changes a bit."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = _ERRORS
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _load_pixel_function(code: Path, config: Mapping[str, Any]) -> Callable[[bytes], Any]:
    """Load the pixel function with which the model was trained, from the modules that lie beside it."""
    sys.path.insert(0, str(code))
    try:
        preprocessing = import_module("tasks.domain.images.preprocessing")
    finally:
        sys.path.remove(str(code))
    limits = preprocessing.Limits(**config["limits"])
    return lambda data: preprocessing.preprocess_image(data, config["size"], limits)


@dataclass
class Check:
    """What came of comparing answers with those that were expected.

    Attributes:
        tolerance: How far apart two probabilities may be.
        pictures: The number of files that were asked.
        widest: The widest difference of a probability.
        problems: What is not as it should be, in words.
    """

    tolerance: float
    pictures: int = 0
    widest: float = 0.0
    problems: Sequence[str] = ()

    def __str__(self) -> str:
        """Say it in a sentence or a few."""
        if self.problems:
            return "\n".join([*self.problems, _REMEDY])
        apart = f"probabilities at most {self.widest:.1g} apart, where {self.tolerance:g} is allowed"
        return f"{self.pictures} pictures are answered as the model was evaluated: the same pixels, {apart}."


def check(folder: Path = FOLDER, pictures: Sequence[Path] = ()) -> Check:
    """Check that every file is the one that was exported, and that pictures get the answers that were expected.

    Args:
        folder: The folder of the model.
        pictures: Folders of further pictures, each with the answers that are expected of them.

    Returns:
        What came of it.
    """
    problems = list(_altered_files(folder))
    if problems:
        return Check(0.0, problems=problems)
    model = Model.load(folder)
    result = Check(model.config["tolerance"])
    for directory in (folder / _GOLDEN, *pictures):
        expected = json.loads((directory / _EXPECTED).read_text(encoding="utf-8"))
        for name, answer in expected.items():
            result.pictures += 1
            problems += _compare(model, name, (directory / name).read_bytes(), answer, result)
    result.problems = problems
    return result


def _altered_files(folder: Path) -> Iterator[str]:
    """Name the files of SHA256SUMS that are gone or have other bytes."""
    sums = folder / _SUMS
    if not sums.is_file():
        yield f"{_SUMS} is missing."
        return
    for line in sums.read_text(encoding="utf-8").splitlines():
        sha256, _, name = line.partition("  ")
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing."
        elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            yield f"{name} is not the file that was exported."


def _compare(model: Model, name: str, data: bytes, expected: Mapping[str, Any], result: Check) -> Iterator[str]:
    """Compare the answer about a file with the one that was expected, and say what differs."""
    pixels = model.preprocess(data)
    if not isinstance(pixels, np.ndarray):
        if expected["problem"] != (problem := pixels.reason.value):
            yield f"{name} is refused ({problem}), which was not expected."
        return
    if expected["problem"]:
        yield f"{name} is answered, and should be refused ({expected['problem']})."
    elif hashlib.sha256(pixels.tobytes()).hexdigest() != expected["pixels"]:
        yield f"{name} is decoded to other pixels."
    else:
        probabilities = model.compute(pixels)
        difference = float(np.abs(probabilities - np.asarray(expected["probabilities"], np.float32)).max())
        result.widest = max(result.widest, difference)
        if difference > result.tolerance:
            yield f"{name} is answered with probabilities {difference:.1g} apart, {result.tolerance:g} is allowed."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: What stands behind its name; None takes the command line.

    Returns:
        The exit code: 1 where the check fails or a photograph cannot be used.
    """
    parser = argparse.ArgumentParser(description="Answer photographs by the model in this folder.")
    parser.add_argument("photographs", nargs="*", type=Path, metavar="PHOTOGRAPH")
    parser.add_argument("--check", action="store_true", help="compare the answers about test pictures with the export")
    parser.add_argument("--also", nargs="*", type=Path, default=[], help="more folders of test pictures to check")
    parser.add_argument("--json", action="store_true", help="print what --check found as JSON")
    chosen = parser.parse_args(arguments)
    if chosen.check:
        result = check(pictures=chosen.also)
        _print(json.dumps(vars(result)) if chosen.json else str(result))
        return 1 if result.problems else 0
    if not chosen.photographs:
        parser.error("name a photograph, or say --check")
    model, code = Model.load(), 0
    for path in chosen.photographs:
        try:
            answer = model.predict(path.read_bytes())
        except (OSError, ValueError) as error:
            answer = {"label": None, "problem": str(error)}
        code = 1 if answer["problem"] else code
        _print(json.dumps({"file": str(path), **answer}, ensure_ascii=False))
    return code


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
