"""How far a fine-tuning has come, as one file: enough to go on as if it had never stopped."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.modeling.backbone.serialization import DAMAGE

Arrays = list[NDArray[Any]]
Epoch = tuple[int, Mapping[str, float]]


@dataclass(frozen=True)
class Checkpoint:
    """A fine-tuning after so many epochs: all that changes, the best weights so far, and every epoch's figures."""

    state: Arrays
    best: Arrays
    epochs: tuple[Epoch, ...]

    @property
    def epoch(self) -> int:
        """Count the epochs that are finished."""
        return self.epochs[-1][0]

    def to_bytes(self) -> bytes:
        """Write it as one .npz file."""
        sink = io.BytesIO()
        named = {f"{part}_{n}": array for part in ("state", "best") for n, array in enumerate(getattr(self, part))}
        np.savez(sink, allow_pickle=False, epochs=np.array(json.dumps(self.epochs)), **named)
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Checkpoint | None":
        """Read what ``to_bytes`` wrote; nothing where it is damaged, since a fine-tuning can begin again."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                epochs = tuple((int(epoch), figures) for epoch, figures in json.loads(str(file["epochs"])))
                state, best = (
                    [file[name] for name in file.files if name.startswith(part)] for part in ("state", "best")
                )
                return cls(state, best, epochs)
        except (*DAMAGE, TypeError):
            return None


def best_epoch(epochs: Sequence[Epoch]) -> Epoch:
    """Name the first epoch with the lowest validation loss, with its figures."""
    return min(epochs, key=lambda epoch: epoch[1]["validation_loss"])
