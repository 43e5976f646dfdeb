"""Whether a batch fits into memory: an estimate before fine-tuning begins, and a sentence where it was too low."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING

import psutil

from configs.problems import Problem

if TYPE_CHECKING:
    import keras

    from configs import schema

_BYTES = 4


def check_memory(
    learning: Sequence["keras.layers.Layer"], settings: "schema.Settings", machines: int, free: int | None = None
) -> None:
    """Raise Problem, naming the batch that fits, where what learns keeps more than the machine's free bytes.

    Every number that a learning layer puts out is kept until the gradients have come by: four bytes each, for this
    machine's share of the batch. All else that a step needs is not in this, so that a batch is only refused where it
    cannot fit. The memory of graphics cards is not looked at.
    """
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        return
    each = numbers(learning, settings.backbone.size) * _BYTES
    free = psutil.virtual_memory().available if free is None else free
    if each * settings.fine_tuning.batch > free * machines:
        raise too_large(settings, free * machines // each)


def numbers(learning: Sequence["keras.layers.Layer"], size: int) -> int:
    """Count what learning layers put out for one picture of this side, in pixels; they take pictures of any size."""
    import keras

    outputs = [layer.output for layer in learning]
    network = keras.Model(keras.utils.get_source_inputs(outputs[-1]), outputs)
    return sum(prod(shape[1:]) for shape in network.compute_output_shape((1, size, size, 3)))


@contextmanager
def fits(settings: "schema.Settings") -> Iterator[None]:
    """Turn the end of memory in the middle of a step into one sentence."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise too_large(settings, settings.fine_tuning.batch // 2) from error


def too_large(settings: "schema.Settings", batch: int) -> Problem:
    """Say that a batch does not fit into memory, and what would: a smaller batch, or else fewer blocks that learn."""
    tuning, size = settings.fine_tuning, settings.backbone.size
    better = f"fine_tuning.batch to {batch}" if batch else "fine_tuning.from_block to a later block"
    return Problem(
        f"Fine-tuning with fine_tuning.batch {tuning.batch} at {size} px needs more memory than there is: "
        f"set {better}. No model was made."
    )
