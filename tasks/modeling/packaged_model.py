"""The packaged model: backbone, head and image limits in one folder, written by training and loaded for serving."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.cores import count_cores
from configs.errors import PedigreeError
from tasks.domain.images.preprocessing import Limits, preprocess_image
from tasks.domain.images.rejections import Rejection
from tasks.modeling.backbone.backbone import Backbone, restore_backbone
from tasks.modeling.head.head import Head


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's prediction for one image.

    Attributes:
        label: The likeliest class; None where the image could not be used.
        probability: Its probability.
        sure: Whether the prediction is confident; where it is not, the answer is "I don't know".
        probabilities: The probability of each class.
        problem: Why there is no label; empty where there is one.
    """

    label: str | None
    probability: float | None
    sure: bool
    probabilities: Mapping[str, float] | None
    problem: str


def backbone_file(facts: Mapping[str, Any]) -> str:
    """Return the name of the file that a packaged backbone's engine computes with: a graph, or TensorFlow's weights."""
    return "backbone.onnx" if "graph" in facts else "backbone.npz"


def served_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a backbone's facts as it serves: one picture a call, in float32, wherever its features were computed.

    The smoke test says how near that is to what was evaluated.

    Args:
        facts: What identifies the backbone, as in ``Backbone.facts``.

    Returns:
        The facts with which it is restored.
    """
    return {name: fact for name, fact in facts.items() if name not in {"batch", "computing"}}


@dataclass(frozen=True)
class Package:
    """The parts of a packaged model.

    Attributes:
        backbone: The file that the backbone's engine computes with.
        backbone_facts: What identifies the backbone, as in ``Backbone.facts``.
        head: The head as a file.
        limits: Which image files are accepted.
    """

    backbone: bytes
    backbone_facts: Mapping[str, Any]
    head: bytes
    limits: Limits

    def write(self, folder: Path) -> None:
        """Write the package's three files into an existing folder."""
        named = Head.from_bytes(self.head).name
        facts = {"backbone": dict(self.backbone_facts), "limits": asdict(self.limits), "head": named}
        (folder / "model.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        (folder / backbone_file(self.backbone_facts)).write_bytes(self.backbone)
        (folder / "head.npz").write_bytes(self.head)


@dataclass(frozen=True)
class Predictor:
    """A packaged model, ready to predict."""

    backbone: Backbone
    head: Head
    limits: Limits

    @classmethod
    def load(cls, folder: Path) -> "Predictor":
        """Load the folder that ``Package.write`` wrote.

        Args:
            folder: The folder.

        Returns:
            The model.

        Raises:
            PedigreeError: The folder is damaged or incomplete, or holds another head than the one that was packaged.
        """
        try:
            facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            limits, named = Limits(**facts["limits"]), facts["backbone"]
            network = (folder / backbone_file(named)).read_bytes()
            head = Head.from_bytes((folder / "head.npz").read_bytes())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PedigreeError(f"The model in {folder} is damaged or incomplete: download it again.") from error
        # Older packages do not name their head.
        if facts.get("head", head.name) != head.name:
            raise PedigreeError(f"The head in {folder} is not the one that was packaged: download the model again.")
        return cls(restore_backbone(network, served_facts(named)), head, limits)

    def predict(self, images: Sequence[bytes]) -> list[Prediction]:
        """Predict each image from its bytes, independently of the others, in order; any threads may call this."""
        return list(_shared_threads().map(self._predict_image, images))

    def _predict_image(self, data: bytes) -> Prediction:
        pixels = preprocess_image(data, self.backbone.size, self.limits)
        if isinstance(pixels, Rejection):
            return reject(pixels)
        return predict_features(self.head, self.backbone.network(pixels))


@cache
def _shared_threads() -> ThreadPoolExecutor:
    """Return one thread a core for all requests of a process: each with threads of its own would crowd the cores."""
    return ThreadPoolExecutor(count_cores(), thread_name_prefix="predict")


def predict_features(head: Head, features: NDArray[np.float32]) -> Prediction:
    """Return a head's prediction for one image.

    Args:
        head: The head.
        features: The image's features, of shape (width,).

    Returns:
        The prediction.
    """
    probabilities = head.probabilities(features[None])[0]
    named = dict(zip(head.classes, map(float, probabilities), strict=True))
    label = max(named, key=named.__getitem__)
    return Prediction(label, named[label], head.is_confident(named[label]), named, "")


def reject(rejection: Rejection) -> Prediction:
    """Return the prediction for a file that cannot be used: none, and why."""
    problem = f"{rejection.reason.value}: {rejection.detail}"
    return Prediction(None, None, sure=False, probabilities=None, problem=problem)
