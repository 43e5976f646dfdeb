"""Fine-tuning: the end of a backbone learns together with its head, and can go on after any epoch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from configs.problems import Problem
from tasks.modeling.backbone import Backbone
from tasks.modeling.checkpoint import Checkpoint, best_epoch
from tasks.modeling.distribution import Devices, together
from tasks.modeling.feeding import Labelled, Pass, Reading, feeds, plain_pass, training_pass
from tasks.modeling.head import Head
from tasks.modeling.memory import check_memory, fits
from tasks.modeling.tunable import Step, Tunable, extracted, tunable

if TYPE_CHECKING:
    from configs import schema

# A tenth of the learning rate is the usual next try where training broke down.
_LOWER = 10


@dataclass(frozen=True)
class Lesson:
    """What is learned from, what decides which epoch is best, how pictures are read, and the settings."""

    train: Labelled
    validation: Labelled
    reading: Reading
    settings: "schema.Settings"


@dataclass(frozen=True)
class Course:
    """One fine-tuning on its devices; ``advance`` is told how many more images have passed through."""

    backbone: Backbone
    head: Head
    lesson: Lesson
    devices: Devices
    advance: Callable[[int], None]

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
        for epoch in range(last.epoch + 1, self.lesson.settings.fine_tuning.epochs + 1):
            figures = self._trained(network, epoch) | self._measured(network, epoch)
            better = figures["validation_loss"] < best_epoch(last.epochs)[1]["validation_loss"]
            best = network.weights() if better else last.best
            last = Checkpoint(network.state(), best, (*last.epochs, (epoch, figures)))
            yield last

    def result(self, last: Checkpoint) -> tuple[Backbone, Head]:
        """Make a backbone and a head of the best epoch; where that is epoch 0, they are those that it began with."""
        if best_epoch(last.epochs)[0] == 0:
            return self.backbone, self.head
        return extracted(last.best, (self.backbone, self.head), self.lesson.settings.fine_tuning.from_block)

    def unmeasured(self) -> tuple[Backbone, Head]:
        """Go through all epochs without a look at what they come to, and make a backbone and a head of the last one.

        What chose none of them by the validation images can be judged by these. Raises Problem as ``checkpoints`` does.
        """
        network = self._network()
        self._check_memory(network)
        for epoch in range(1, self.lesson.settings.fine_tuning.epochs + 1):
            self._trained(network, epoch)
        return extracted(network.weights(), (self.backbone, self.head), self.lesson.settings.fine_tuning.from_block)

    def _check_memory(self, network: Tunable) -> None:
        check_memory(network.learning, self.lesson.settings, self.devices.count // len(self.devices.ours))

    def _network(self) -> Tunable:
        tuning, training = self.lesson.settings.fine_tuning, self.lesson.settings.training
        steps = tuning.epochs * self._steps()
        return tunable((self.backbone, self.head), tuning, self.devices, steps, training.label_smoothing)

    def _steps(self) -> int:
        return -(-len(self.lesson.train.images) // self.lesson.settings.fine_tuning.batch)

    def _trained(self, network: Tunable, epoch: int) -> dict[str, float]:
        one = training_pass(self.lesson.train, self.lesson.settings, epoch)
        return self._figures("train", one, network.train, (epoch - 1) * self._steps())

    def _measured(self, network: Tunable, epoch: int) -> dict[str, float]:
        return self._figures("validation", plain_pass(self.lesson.validation), network.measure, epoch * self._steps())

    def _figures(self, name: str, one: Pass, step: Step, before: int) -> dict[str, float]:
        """Average the loss and the hits of a pass; so many steps were made before it."""
        losses, hits, batch = 0.0, 0, self.lesson.settings.fine_tuning.batch
        for number, (feed, size) in enumerate(feeds(one, batch, self.lesson.reading, self.devices), start=1):
            with fits(self.lesson.settings), together():
                loss, right = step(feed)
            if not isfinite(loss):
                raise self._broken(name, before + (number if name == "train" else 0))
            losses, hits = losses + loss * size, hits + right
            self.advance(size)
        return {f"{name}_loss": losses / len(one.order), f"{name}_accuracy": hits / len(one.order)}

    def _broken(self, name: str, step: int) -> Problem:
        rate = self.lesson.settings.fine_tuning.learning_rate
        total = self.lesson.settings.fine_tuning.epochs * self._steps()
        return Problem(
            f"Fine-tuning broke down at step {step} of {total}: the {name} loss is no number any more. Most likely "
            f"the steps are too long: set fine_tuning.learning_rate, now {rate:g}, to {rate / _LOWER:g}. "
            "No model was made."
        )
