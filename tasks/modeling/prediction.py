"""The packaged model: backbone, head and pixel limits in one folder, as it is trained and as it is served."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.domain.pixels import Limits, model_input
from tasks.domain.rejections import Rejection
from tasks.modeling.backbone import restore
from tasks.modeling.features import embedder
from tasks.modeling.head import Head


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model says of one image; without a label, ``problem`` says why."""

    label: str | None
    probability: float | None
    probabilities: Mapping[str, float] | None
    problem: str


@dataclass(frozen=True)
class Package:
    """What a packaged model is made of."""

    backbone: bytes
    backbone_facts: Mapping[str, Any]
    head: bytes
    limits: Limits

    def write(self, folder: Path) -> None:
        """Write the package's three files into an existing folder."""
        facts = {"backbone": dict(self.backbone_facts), "limits": asdict(self.limits)}
        (folder / "model.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        (folder / "backbone.npz").write_bytes(self.backbone)
        (folder / "head.npz").write_bytes(self.head)


@dataclass(frozen=True)
class Predictor:
    """A packaged model, loaded and ready to answer."""

    network: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    size: int
    head: Head
    limits: Limits

    @classmethod
    def load(cls, folder: Path) -> "Predictor":
        """Load what ``Package.write`` wrote; raise Problem when it is damaged."""
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        backbone = restore((folder / "backbone.npz").read_bytes(), facts["backbone"])
        head = Head.from_bytes((folder / "head.npz").read_bytes())
        return cls(embedder(backbone), backbone.size, head, Limits(**facts["limits"]))

    def predict(self, images: Sequence[bytes]) -> list[Prediction]:
        """Answer for each image's bytes on its own, in order."""
        return [self._one(data) for data in images]

    def _one(self, data: bytes) -> Prediction:
        pixels = model_input(data, self.size, self.limits)
        if isinstance(pixels, Rejection):
            return Prediction(None, None, None, f"{pixels.reason.value}: {pixels.detail}")
        found = self.head.probabilities(self.network(pixels)[None])[0]
        named = dict(zip(self.head.classes, map(float, found), strict=True))
        label = max(named, key=named.__getitem__)
        return Prediction(label, named[label], named, "")
