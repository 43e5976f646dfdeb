"""Fine-tuning: the end of a backbone learns together with its head, and can go on after any epoch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite, prod
from typing import TYPE_CHECKING

import psutil

from configs.errors import PedigreeError
from tasks.modeling.backbone.backbone import Backbone
from tasks.modeling.fine_tuning.distribution import Devices, report_lost_worker
from tasks.modeling.fine_tuning.input_pipeline import (
    EpochPlan,
    ImageReader,
    LabelledImages,
    plan_training,
    plan_validation,
    read_batches,
)
from tasks.modeling.fine_tuning.train_state import (
    Checkpoint,
    Step,
    TrainState,
    best_epoch,
    create_train_state,
    extract_model,
)
from tasks.modeling.head.head import Head

if TYPE_CHECKING:
    import keras

    from configs import schema

# A tenth of the learning rate is the usual next try where training broke down.
_LOWER = 10
_BYTES = 4


@dataclass(frozen=True)
class FineTuningData:
    """What is learned from, what decides which epoch is best, how pictures are read, and the settings."""

    train: LabelledImages
    validation: LabelledImages
    reader: ImageReader
    settings: "schema.Settings"


@dataclass(frozen=True)
class FineTuning:
    """One fine-tuning on its devices; ``advance`` is told how many more images have passed through."""

    backbone: Backbone
    head: Head
    data: FineTuningData
    devices: Devices
    on_images: Callable[[int], None]

    def checkpoints(self, last: Checkpoint | None) -> Iterator[Checkpoint]:
        """Yield a checkpoint before the first epoch and after each; with a last one, that one and those after it.

        Raises Problem where a loss is no number, where a batch does not fit into memory, or where a worker is lost.
        """
        network = self._network()
        self._check_memory(network)
        if last:
            network.restore(last.state)
        else:
            last = Checkpoint(network.state(), network.weights(), ((0, self._measured(network, 0)),))
        yield last
        for epoch in range(last.epoch + 1, self.data.settings.fine_tuning.epochs + 1):
            figures = self._trained(network, epoch) | self._measured(network, epoch)
            better = figures["validation_loss"] < best_epoch(last.epochs)[1]["validation_loss"]
            best = network.weights() if better else last.best
            last = Checkpoint(network.state(), best, (*last.epochs, (epoch, figures)))
            yield last

    def result(self, last: Checkpoint) -> tuple[Backbone, Head]:
        """Make a backbone and a head of the best epoch; where that is epoch 0, they are those that it began with."""
        if best_epoch(last.epochs)[0] == 0:
            return self.backbone, self.head
        return extract_model(last.best, (self.backbone, self.head), self.data.settings.fine_tuning.from_block)

    def run_without_validation(self) -> tuple[Backbone, Head]:
        """Go through all epochs without a look at what they come to, and make a backbone and a head of the last one.

        What chose none of them by the validation images can be judged by these. Raises Problem as ``checkpoints`` does.
        """
        network = self._network()
        self._check_memory(network)
        for epoch in range(1, self.data.settings.fine_tuning.epochs + 1):
            self._trained(network, epoch)
        return extract_model(network.weights(), (self.backbone, self.head), self.data.settings.fine_tuning.from_block)

    def _check_memory(self, network: TrainState) -> None:
        check_memory(
            network.trainable_layers, self.data.settings, self.devices.count // len(self.devices.local_devices)
        )

    def _network(self) -> TrainState:
        tuning, training = self.data.settings.fine_tuning, self.data.settings.training
        steps = tuning.epochs * self._steps()
        return create_train_state((self.backbone, self.head), tuning, self.devices, steps, training.label_smoothing)

    def _steps(self) -> int:
        return -(-len(self.data.train.images) // self.data.settings.fine_tuning.batch)

    def _trained(self, network: TrainState, epoch: int) -> dict[str, float]:
        plan = plan_training(self.data.train, self.data.settings, epoch)
        return self._figures("train", plan, network.train_step, (epoch - 1) * self._steps())

    def _measured(self, network: TrainState, epoch: int) -> dict[str, float]:
        return self._figures(
            "validation", plan_validation(self.data.validation), network.eval_step, epoch * self._steps()
        )

    def _figures(self, name: str, plan: EpochPlan, step: Step, before: int) -> dict[str, float]:
        """Average the loss and the hits of a pass; so many steps were made before it."""
        losses, hits, batch = 0.0, 0, self.data.settings.fine_tuning.batch
        for number, (device_batches, size) in enumerate(
            read_batches(plan, batch, self.data.reader, self.devices), start=1
        ):
            with report_memory_shortage(self.data.settings), report_lost_worker():
                loss, correct = step(device_batches)
            if not isfinite(loss):
                raise self._broken(name, before + (number if name == "train" else 0))
            losses, hits = losses + loss * size, hits + correct
            self.on_images(size)
        return {f"{name}_loss": losses / len(plan.order), f"{name}_accuracy": hits / len(plan.order)}

    def _broken(self, name: str, step: int) -> PedigreeError:
        rate = self.data.settings.fine_tuning.learning_rate
        total = self.data.settings.fine_tuning.epochs * self._steps()
        return PedigreeError(
            f"Fine-tuning broke down at step {step} of {total}: the {name} loss is no number any more. Most likely "
            f"the steps are too long: set fine_tuning.learning_rate, now {rate:g}, to {rate / _LOWER:g}. "
            "No model was made."
        )


def check_memory(
    learning: Sequence["keras.layers.Layer"], settings: "schema.Settings", machines: int, free: int | None = None
) -> None:
    """Raise PedigreeError, naming the batch that fits, where what learns keeps more than the machine's free bytes.

    Every number that a learning layer puts out is kept until the gradients have come by: four bytes each, for this
    machine's share of the batch. All else that a step needs is not in this, so that a batch is only refused where it
    cannot fit. The memory of graphics cards is not looked at.
    """
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        return
    bytes_per_picture = count_outputs(learning, settings.backbone.size) * _BYTES
    free = psutil.virtual_memory().available if free is None else free
    if bytes_per_picture * settings.fine_tuning.batch > free * machines:
        raise memory_error(settings, free * machines // bytes_per_picture)


def count_outputs(learning: Sequence["keras.layers.Layer"], size: int) -> int:
    """Count what learning layers put out for one picture of this side, in pixels; they take pictures of any size."""
    import keras

    outputs = [layer.output for layer in learning]
    network = keras.Model(keras.utils.get_source_inputs(outputs[-1]), outputs)
    return sum(prod(shape[1:]) for shape in network.compute_output_shape((1, size, size, 3)))


@contextmanager
def report_memory_shortage(settings: "schema.Settings") -> Iterator[None]:
    """Turn the end of memory in the middle of a step into one sentence."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise memory_error(settings, settings.fine_tuning.batch // 2) from error


def memory_error(settings: "schema.Settings", batch: int) -> PedigreeError:
    """Say that a batch does not fit into memory, and what would: a smaller batch, or else fewer blocks that learn."""
    tuning, size = settings.fine_tuning, settings.backbone.size
    better = f"fine_tuning.batch to {batch}" if batch else "fine_tuning.from_block to a later block"
    return PedigreeError(
        f"Fine-tuning with fine_tuning.batch {tuning.batch} at {size} px needs more memory than there is: "
        f"set {better}. No model was made."
    )
