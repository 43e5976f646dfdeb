"""A small fine-tuning for tests, the same one in every process: three breeds of drawn dogs on the smallest networks."""

import io
import os
import signal
from collections.abc import Iterator, Sequence
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from configs.schema import Settings
from tasks.domain.images.preprocessing import Limits
from tasks.domain.synthetic.drawn_dogs import BREEDS, draw
from tasks.modeling.backbone.backbone import Backbone, random_backbone
from tasks.modeling.backbone.serialization import hash_weights
from tasks.modeling.fine_tuning.distribution import Devices, broadcast, devices_of_this_machine, devices_of_workers
from tasks.modeling.fine_tuning.fine_tuning import FineTuning, FineTuningData
from tasks.modeling.fine_tuning.input_pipeline import ImageReader, LabelledImages
from tasks.modeling.fine_tuning.train_state import Checkpoint
from tasks.modeling.head.head import Head

_SIZE = 75


def small_settings(**changes: Any) -> Settings:  # noqa: ANN401 - settings of every type
    """Make the settings of a fine-tuning of two epochs, with changes of the section fine_tuning."""
    return Settings.model_validate(
        {
            "source": {"url": "nowhere"},
            "store": {"url": "nowhere"},
            "backbone": {"weights": "random", "cut": "mixed0", "size": _SIZE},
            "training": {"method": "fine-tune"},
            "fine_tuning": {"from_block": "mixed0", "epochs": 2, "batch": 8, "learning_rate": 0.001, **changes},
        }
    )


def small_fine_tuning(settings: Settings, devices: Devices | None = None, dies_at: int = 10**9) -> FineTuning:
    """Put it together: a random network, a head that knows nothing, 21 images to learn from and 6 to measure by."""
    backbone = _backbone()
    classes = tuple(sorted(BREEDS[:3]))
    head = Head(classes, np.zeros((backbone.width, 3), np.float32), np.zeros(3, np.float32))
    data = FineTuningData(
        _labelled(classes, range(7)),
        _labelled(classes, range(7, 9)),
        ImageReader(partial(_stored, count(), dies_at), Limits(10**6, 10**6, 32), _SIZE),
        settings.fine_tuning,
        settings.training,
    )
    chosen = devices or devices_of_this_machine(settings.fine_tuning.devices)
    return FineTuning(backbone, head, data, chosen, lambda _images: None)


def tuned(settings: Settings, devices: Devices | None = None) -> dict[str, Any]:
    """Fine-tune wholly, and name what came out: all variables, and the backbone and head of the best epoch."""
    fine_tuning = small_fine_tuning(settings, devices)
    *_, last = fine_tuning.checkpoints(None)
    return describe_result(fine_tuning, last)


def describe_result(fine_tuning: FineTuning, last: Checkpoint) -> dict[str, Any]:
    """Name the variables of a finished fine-tuning and its result, and repeat its figures."""
    backbone, head = fine_tuning.result(last)
    return {
        "state": hash_weights(last.state),
        "backbone": hash_weights(backbone.model.get_weights()),
        "head": head.name,
        "epochs": [[epoch, dict(figures)] for epoch, figures in last.epochs],
    }


def tuned_from(path: Path, dies_at: int) -> dict[str, Any]:
    """Go on from the checkpoint in a file, if there is one, and keep each there; die at the picture of this number."""
    fine_tuning = small_fine_tuning(small_settings(), dies_at=dies_at)
    reached = Checkpoint.from_bytes(path.read_bytes()) if path.exists() else None
    for last in fine_tuning.checkpoints(reached):
        path.write_bytes(last.to_bytes())
    return describe_result(fine_tuning, last)


def tuned_by_worker(addresses: Sequence[str], number: int) -> dict[str, Any]:
    """Fine-tune as one of several workers, after the first one has told the others what to do."""
    devices = devices_of_workers(tuple(addresses), number)
    heard = broadcast(devices, {"say": "go"} if number == 0 else None)
    return tuned(small_settings(), devices) | heard


def _labelled(classes: Sequence[str], numbers: range) -> LabelledImages:
    names = [f"{breed}/{number}" for number in numbers for breed in classes]
    return LabelledImages(names, [classes.index(name.partition("/")[0]) for name in names])


def _stored(numbers: Iterator[int], dies_at: int, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        if next(numbers) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        yield name, _file(name)


@cache
def _backbone() -> Backbone:
    return random_backbone("mixed0", _SIZE)


@cache
def _file(name: str) -> bytes:
    breed, _, number = name.partition("/")
    sink = io.BytesIO()
    draw(breed, "brown", int(number), side=96).save(sink, "PNG")
    return sink.getvalue()
