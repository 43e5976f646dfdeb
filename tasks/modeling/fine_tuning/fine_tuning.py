"""Fine-tuning: training the last blocks of a backbone together with its head, resumable after every epoch."""

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

# The factor by which to lower the learning rate where training diverged.
_RATE_FACTOR = 10
# The bytes of a float32.
_BYTES = 4


@dataclass(frozen=True)
class FineTuningData:
    """What fine-tuning works on.

    Attributes:
        train: The images to learn from.
        validation: The images that decide which epoch is best.
        reader: Reads the images.
        fine_tuning: How the backbone's end is trained.
        training: The seed, the balance of classes, and label smoothing.
    """

    train: LabelledImages
    validation: LabelledImages
    reader: ImageReader
    fine_tuning: "schema.FineTuning"
    training: "schema.Training"


@dataclass(frozen=True)
class FineTuning:
    """One fine-tuning on its devices.

    Attributes:
        backbone: The backbone to start from.
        head: The head to start from.
        data: What it works on.
        devices: The devices that share every step.
        on_images: Called with the number of images of each batch that has been processed.
    """

    backbone: Backbone
    head: Head
    data: FineTuningData
    devices: Devices
    on_images: Callable[[int], None]

    def checkpoints(self, last: Checkpoint | None) -> Iterator[Checkpoint]:
        """Train epoch by epoch.

        Args:
            last: The checkpoint to resume from; None begins anew.

        Yields:
            The checkpoint before the first epoch, or the one to resume from, and then one after each epoch.

        Raises:
            PedigreeError: The loss diverges, memory is too small for a batch, or a worker is lost.
        """
        network = self._create_train_state()
        self._check_memory(network)
        if last:
            network.restore(last.state)
        else:
            last = Checkpoint(network.state(), network.weights(), ((0, self._evaluate_epoch(network, 0)),))
        yield last
        for epoch in range(last.epoch + 1, self.data.fine_tuning.epochs + 1):
            figures = self._train_epoch(network, epoch) | self._evaluate_epoch(network, epoch)
            better = figures["validation_loss"] < best_epoch(last.epochs)[1]["validation_loss"]
            best = network.weights() if better else last.best
            last = Checkpoint(network.state(), best, (*last.epochs, (epoch, figures)))
            yield last

    def result(self, last: Checkpoint) -> tuple[Backbone, Head]:
        """Return the backbone and the head of the best epoch; before the first one they are those to start from."""
        if best_epoch(last.epochs)[0] == 0:
            return self.backbone, self.head
        return extract_model(last.best, (self.backbone, self.head), self.data.fine_tuning.from_block)

    def run_without_validation(self) -> tuple[Backbone, Head]:
        """Train all epochs, and return the backbone and the head of the last one.

        The validation images choose nothing here, so the result can be evaluated on them.

        Returns:
            The backbone and the head.

        Raises:
            PedigreeError: The loss diverges, memory is too small for a batch, or a worker is lost.
        """
        network = self._create_train_state()
        self._check_memory(network)
        for epoch in range(1, self.data.fine_tuning.epochs + 1):
            self._train_epoch(network, epoch)
        return extract_model(network.weights(), (self.backbone, self.head), self.data.fine_tuning.from_block)

    def _check_memory(self, network: TrainState) -> None:
        machines = self.devices.count // len(self.devices.local_devices)
        check_memory(network.trainable_layers, self.data.fine_tuning, self.data.reader.size, machines)

    def _create_train_state(self) -> TrainState:
        tuning, training = self.data.fine_tuning, self.data.training
        steps = tuning.epochs * self._count_steps()
        return create_train_state((self.backbone, self.head), tuning, self.devices, steps, training.label_smoothing)

    def _count_steps(self) -> int:
        return -(-len(self.data.train.images) // self.data.fine_tuning.batch)

    def _train_epoch(self, network: TrainState, epoch: int) -> dict[str, float]:
        plan = plan_training(self.data.train, self.data.training, self.data.fine_tuning, epoch)
        return self._run_epoch("train", plan, network.train_step, (epoch - 1) * self._count_steps())

    def _evaluate_epoch(self, network: TrainState, epoch: int) -> dict[str, float]:
        return self._run_epoch(
            "validation", plan_validation(self.data.validation), network.eval_step, epoch * self._count_steps()
        )

    def _run_epoch(self, name: str, plan: EpochPlan, step: Step, before: int) -> dict[str, float]:
        """Run a step on every batch of an epoch.

        Args:
            name: Whether this is ``train`` or ``validation``.
            plan: The images of the epoch.
            step: The step to run.
            before: The number of training steps before this epoch.

        Returns:
            The mean loss and the accuracy.

        Raises:
            PedigreeError: The loss is no number.
        """
        losses, hits, batch = 0.0, 0, self.data.fine_tuning.batch
        for number, (device_batches, size) in enumerate(
            read_batches(plan, batch, self.data.reader, self.devices), start=1
        ):
            with report_memory_shortage(self.data.fine_tuning, self.data.reader.size), report_lost_worker():
                loss, correct = step(device_batches)
            if not isfinite(loss):
                raise PedigreeError(self._describe_divergence(name, before + (number if name == "train" else 0)))
            losses, hits = losses + loss * size, hits + correct
            self.on_images(size)
        return {f"{name}_loss": losses / len(plan.order), f"{name}_accuracy": hits / len(plan.order)}

    def _describe_divergence(self, name: str, step: int) -> str:
        rate = self.data.fine_tuning.learning_rate
        total = self.data.fine_tuning.epochs * self._count_steps()
        return (
            f"Fine-tuning broke down at step {step} of {total}: the {name} loss is no number any more. Most likely "
            f"the steps are too long: set fine_tuning.learning_rate, now {rate:g}, to {rate / _RATE_FACTOR:g}. "
            "No model was made."
        )


def check_memory(
    layers: Sequence["keras.layers.Layer"],
    fine_tuning: "schema.FineTuning",
    size: int,
    machines: int,
    free: int | None = None,
) -> None:
    """Check that the outputs of the trainable layers fit into memory.

    They are kept until the gradients are computed: four bytes a number, for this machine's share of the batch.
    Everything else that a step needs is left out, so that a batch is only rejected where it certainly cannot fit. The
    memory of graphics cards is not checked.

    Args:
        layers: The trainable layers.
        fine_tuning: Names the batch size.
        size: The side of the pictures in pixels.
        machines: The number of machines that share a batch.
        free: The free memory in bytes; None asks the machine.

    Raises:
        PedigreeError: The batch does not fit; the sentence names one that does.
    """
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        return
    bytes_per_picture = count_outputs(layers, size) * _BYTES
    free = psutil.virtual_memory().available if free is None else free
    if bytes_per_picture * fine_tuning.batch > free * machines:
        raise PedigreeError(describe_memory_shortage(fine_tuning, size, free * machines // bytes_per_picture))


def count_outputs(layers: Sequence["keras.layers.Layer"], size: int) -> int:
    """Count the numbers that layers put out for one picture.

    Args:
        layers: The layers, which take pictures of any size.
        size: The side of the picture in pixels.

    Returns:
        The number of outputs.
    """
    import keras

    outputs = [layer.output for layer in layers]
    network = keras.Model(keras.utils.get_source_inputs(outputs[-1]), outputs)
    return sum(prod(shape[1:]) for shape in network.compute_output_shape((1, size, size, 3)))


@contextmanager
def report_memory_shortage(fine_tuning: "schema.FineTuning", size: int) -> Iterator[None]:
    """Replace errors about exhausted memory, in the middle of a step, by one sentence.

    Args:
        fine_tuning: Names the batch size.
        size: The side of the pictures in pixels.

    Yields:
        Nothing.

    Raises:
        PedigreeError: Memory is exhausted.
    """
    import tensorflow as tf

    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise PedigreeError(describe_memory_shortage(fine_tuning, size, fine_tuning.batch // 2)) from error


def describe_memory_shortage(fine_tuning: "schema.FineTuning", size: int, batch: int) -> str:
    """Describe that a batch does not fit into memory, and which settings would.

    Args:
        fine_tuning: Names the batch size.
        size: The side of the pictures in pixels.
        batch: A batch that fits; 0 where only fewer trainable blocks would help.

    Returns:
        The sentence.
    """
    better = f"fine_tuning.batch to {batch}" if batch else "fine_tuning.from_block to a later block"
    return (
        f"Fine-tuning with fine_tuning.batch {fine_tuning.batch} at {size} px needs more memory than there is: "
        f"set {better}. No model was made."
    )
