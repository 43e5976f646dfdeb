"""Training a head on features: balance, early stopping on the validation split, the same result every time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs.problems import Problem
from tasks.domain import calibration
from tasks.modeling.determinism import settle
from tasks.modeling.head import Head
from tasks.modeling.learner import Learner, learner
from tasks.modeling.scaling import Numbers, Scaling, blocks, check_features, scaling_of

if TYPE_CHECKING:
    from configs import schema

OnEpoch = Callable[[int, Mapping[str, float]], None]
# A validation loss that falls by less than this, in nats, is not worth another round of patience.
_WORTH = 1e-3


@dataclass(frozen=True)
class Examples:
    """Features of shape (images, width), and each image's class as an index."""

    features: NDArray[np.float32]
    truth: Sequence[int]


def train_head(
    classes: Sequence[str],
    train: Examples,
    validation: Examples,
    settings: "schema.Training",
    on_epoch: OnEpoch,
    start: Head | None = None,
) -> Head:
    """Train on one split, stop by the other, and return the head of the epoch with the best validation loss.

    It is not calibrated yet. With a start, training begins with its weights for the classes that it knows. Raise
    Problem where a split is empty, features are no numbers, or training ends in numbers that are none.
    """
    settle()
    _check(train, validation)
    scaling = scaling_of(train.features)
    model = learner(_beginning(classes, scaling, start), scaling, settings)
    best = _Best(model.weights.numpy(), model.bias.numpy())
    for epoch, order in enumerate(_orders(train.truth, settings)):
        figures = _learn(model, train, order, settings, epoch) | _validate(model, validation, epoch)
        on_epoch(epoch, figures)
        best.saw(figures["validation_loss"], model)
        if best.waited >= settings.patience:
            break
    return Head(tuple(classes), *scaling.folded(best.weights, best.bias))


@dataclass
class _Best:
    """The weights with the best validation loss, and how many epochs have passed since it last fell enough."""

    weights: Numbers
    bias: Numbers
    loss: float = np.inf
    mark: float = np.inf
    waited: int = 0

    def saw(self, loss: float, model: Learner) -> None:
        if loss < self.loss:
            self.loss, self.weights, self.bias = loss, model.weights.numpy(), model.bias.numpy()
        better = loss < self.mark - _WORTH
        self.mark, self.waited = (loss, 0) if better else (self.mark, self.waited + 1)


def calibrated(head: Head, validation: Examples, sure_precision: float) -> tuple[Head, dict[str, float]]:
    """Give a head the temperature and the threshold that fit the validation images, and say how well they fit.

    The figures are the temperature, the threshold, and the expected calibration error on the validation images, before
    and after.
    """
    truth = validation.truth
    before = head.probabilities(validation.features)
    warm = replace(head, temperature=calibration.temperature(head.logits(validation.features), truth))
    after = warm.probabilities(validation.features)
    found = replace(warm, threshold=calibration.sure_from(after, truth, sure_precision))
    return found, {
        "temperature": found.temperature,
        "threshold": found.threshold,
        "validation_ece_uncalibrated": calibration.calibration_error(before, truth),
        "validation_ece": calibration.calibration_error(after, truth),
    }


def _check(train: Examples, validation: Examples) -> None:
    for name, examples in (("training", train), ("validation", validation)):
        if not len(examples.truth):
            raise Problem(f"The {name} split holds no image: add photographs, a share of them will go there.")
        check_features(examples.features, name)


def _beginning(classes: Sequence[str], scaling: Scaling, start: Head | None) -> tuple[Numbers, Numbers]:
    """Begin with the start's columns where a class has one, and with nothing elsewhere."""
    weights, bias = np.zeros((len(scaling.mean), len(classes)), np.float32), np.zeros(len(classes), np.float32)
    if start:
        known = [index for index, name in enumerate(classes) if name in start.classes]
        theirs = [start.classes.index(classes[index]) for index in known]
        weights[:, known], bias[known] = scaling.unfolded(start.weights[:, theirs], start.bias[theirs])
    return weights, bias


def _orders(truth: Sequence[int], settings: "schema.Training") -> Iterator[NDArray[np.int64]]:
    """Say, epoch by epoch, which training images come in which order; sampling draws each class equally often."""
    chance = np.random.default_rng(settings.seed)
    share = _rarity(truth) / len(truth)
    for _ in range(settings.epochs):
        if settings.balance == "sampling":
            yield chance.choice(len(truth), len(truth), p=share)
        else:
            yield chance.permutation(len(truth))


def _rarity(truth: Sequence[int]) -> NDArray[np.float64]:
    """Give each image a weight, on average 1, so that all classes that occur weigh the same together."""
    counts = np.bincount(truth)
    return np.asarray(len(truth) / (np.count_nonzero(counts) * counts[np.asarray(truth)]))


def _learn(
    model: Learner, train: Examples, order: NDArray[np.int64], settings: "schema.Training", epoch: int
) -> dict[str, float]:
    """Pass once over the training images; the loss is the mean of what each step saw before it learned from it."""
    truth = np.asarray(train.truth, np.int64)
    weighted = settings.balance == "weights"
    say = (_rarity(train.truth) if weighted else np.ones(len(truth))).astype(np.float32)
    steps = [order[start : start + settings.batch] for start in range(0, len(order), settings.batch)]
    told = [model.step(train.features[step], truth[step], say[step]) for step in steps]
    figures = np.array([one.numpy() for one in told], np.float64)
    wrong = np.flatnonzero(~np.isfinite(figures[:, 0]))
    if len(wrong):
        raise _no_number(epoch, f"step {wrong[0] + 1} of {len(steps)}")
    loss, accuracy = np.average(figures, axis=0, weights=[len(step) for step in steps])
    return {"train_loss": float(loss), "train_accuracy": float(accuracy)}


def _validate(model: Learner, validation: Examples, epoch: int) -> dict[str, float]:
    logits = np.concatenate([model.logits(block).numpy() for block in blocks(validation.features)]).astype(np.float64)
    loss = calibration.mean_log_loss(logits, validation.truth)
    if not np.isfinite(loss):
        raise _no_number(epoch, "its validation")
    return {
        "validation_loss": loss,
        "validation_accuracy": float((logits.argmax(axis=1) == np.asarray(validation.truth)).mean()),
    }


def _no_number(epoch: int, place: str) -> Problem:
    return Problem(
        f"Training went out of bounds in epoch {epoch + 1}, at {place}: its loss is no number any more. Most likely"
        " training.learning_rate is too high for these features: lower it. Nothing was kept, and the champion stays."
    )
