"""Training of a head from blocks: features that do not fit into memory, read in an order that the seed decides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.training.calibration import mean_log_loss
from tasks.modeling.head.cross_fitting import FitOptions, OnStep, Truth, assign_folds, build_sample
from tasks.modeling.head.head import Head, Numbers, Scaler, check_features, fit_scaler_of_blocks
from tasks.modeling.head.softmax_regression import LossThreads, Sample, Theta, compute_logits
from tasks.modeling.head.training import HeldOut, check_varies

#: Vectors that are read at once.
BLOCK = 8192
# Blocks whose vectors are shuffled together, in float16: 270 MB at 2,048 numbers each.
_POOL = 8
# Vectors of one step, and of one matrix product: sums over products are added in order, whatever thread is first.
_BATCH, _PRODUCT = 1024, 128
# Passes that compare weight decays, passes that add the held-out images, and the fewest steps of all passes.
_PASSES, _LAST_PASSES, _LEAST_STEPS = 6, 2, 1200
# Every third weight decay is tried: with so many images the best one is flat.
_STRIDE = 3
# Images that are held out: enough to tell weight decays apart and to calibrate, few enough for memory.
_MOST_HELD_OUT = 50_000
# Adam, as in Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
_RATE, _LAST_RATE, _FIRST, _SECOND, _TINY = 2e-3, 5e-4, 0.9, 0.99, 1e-8
_WARM_UP = 0.05


class FeatureBlocks(Protocol):
    """Features that are read block by block, in the order of training."""

    @property
    def rows(self) -> int:
        """Return the number of images and views."""

    @property
    def width(self) -> int:
        """Return the numbers of each vector."""

    def read(self, start: int, end: int) -> Numbers:
        """Read the vectors of some positions.

        Args:
            start: The first position.
            end: The position after the last one.

        Returns:
            The vectors, float32 of shape (end - start, width).
        """


@dataclass(frozen=True)
class BlockExamples:
    """The images that a head learns from, where their features do not fit into memory.

    Attributes:
        features: The features; the images as they are, then their views.
        truth: The index of each image's class, of shape (n_rows,).
        groups: The near-duplicate group of each image; views of an image share its group.
        originals: The number of images at the beginning that are no views.
    """

    features: FeatureBlocks
    truth: Truth
    groups: Sequence[str]
    originals: int


@dataclass
class _Descent:
    """The weights for one weight decay on their way to the optimum."""

    strength: float
    theta: Theta
    steps: int
    peak: float
    step: int = 0
    moments: list[Theta] = field(default_factory=list)

    def advance(self, slope: Theta) -> None:
        """Take a step of Adam, whose size grows at first and then falls to 0 along a cosine."""
        self.moments = self.moments or [np.zeros_like(slope), np.zeros_like(slope)]
        self.step += 1
        first, second = self.moments
        first += (1 - _FIRST) * (slope - first)
        second += (1 - _SECOND) * (slope**2 - second)
        unbiased = first / (1 - _FIRST**self.step), second / (1 - _SECOND**self.step)
        self.theta -= self._rate() * unbiased[0] / (np.sqrt(unbiased[1]) + _TINY)

    def _rate(self) -> float:
        done = self.step / self.steps
        return self.peak * min(done / _WARM_UP, (1 + float(np.cos(np.pi * done))) / 2)


@dataclass(frozen=True)
class _Lesson:
    """All that steps are made of.

    Attributes:
        features: The features.
        scaler: Their scaling.
        sample: Class and weight of each row; its features are read block by block instead.
        options: How heads are fitted.
    """

    features: FeatureBlocks
    scaler: Scaler
    sample: Sample
    options: FitOptions

    def descend(self, descents: Sequence[_Descent], learned: NDArray[np.bool_], passes: range) -> None:
        """Take the steps of some passes over the rows that are learned from."""
        with LossThreads(_PRODUCT) as threads:
            for number in passes:
                for rows, features in self._batches(number, learned):
                    batch = Sample(features, self.sample.truth[rows], self.sample.weights[rows])
                    for descent in descents:
                        _, slope = threads.mean_loss(batch, descent.theta, descent.strength, self.options.smoothing)
                        descent.advance(slope)

    def _batches(self, number: int, learned: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], Numbers]]:
        """Yield row numbers and scaled features of each step; the seed and the number of the pass decide the order."""
        chance = np.random.default_rng([self.options.seed, number])
        starts = chance.permutation(np.arange(0, self.features.rows, BLOCK))
        for pool in np.split(starts, range(_POOL, len(starts), _POOL)):
            ranges = [np.arange(start, min(start + BLOCK, self.features.rows)) for start in pool.tolist()]
            rows = np.concatenate([part[learned[part]] for part in ranges])
            shuffled = chance.permutation(len(rows))
            features = self._read_pool(ranges, learned, len(rows))
            for start in range(0, len(rows), _BATCH):
                chosen = shuffled[start : start + _BATCH]
                yield rows[chosen], features[chosen].astype(np.float32)

    def _read_pool(
        self, ranges: Sequence[NDArray[np.int64]], learned: NDArray[np.bool_], count: int
    ) -> NDArray[np.float16]:
        features, filled = np.empty((count, self.features.width), np.float16), 0
        for part in ranges:
            block = self.scaler.transform(self.features.read(int(part[0]), int(part[-1]) + 1)[learned[part]])
            features[filled : filled + len(block)] = block
            filled += len(block)
        return features

    def logits(self, theta: Theta, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Compute the logits of some rows, in ascending order, of shape (n_rows, n_classes)."""
        parts = []
        for start in range(0, self.features.rows, BLOCK):
            part = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + BLOCK)]
            if len(part):
                block = self.features.read(start, min(start + BLOCK, self.features.rows))[part - start]
                parts.append(compute_logits(self.scaler.transform(block), theta))
        return np.concatenate(parts)


def train_head_from_blocks(
    classes: Sequence[str],
    examples: BlockExamples,
    options: FitOptions,
    on_step: OnStep = lambda _number, _figures: None,
) -> tuple[Head, HeldOut]:
    """Choose a weight decay on groups held out, and fit a head with it to all images, block by block.

    Each pass reads blocks of 8,192 vectors in an order that the seed decides, and shuffles those of eight blocks. So
    neither the order of the store nor the number of threads changes a bit.

    Args:
        classes: The names of the classes, in the order of their indices; each has an image.
        examples: The images.
        options: How heads are fitted.
        on_step: Called with the number of each weight decay and its metrics on held-out images.

    Returns:
        The head, not calibrated yet, and predictions of a head with the same decay for images that it did not learn.

    Raises:
        PedigreeError: Features are no numbers or never vary, or nothing can be held out.
    """
    held = _hold_out(examples, options.seed)
    scored = _find_scored(examples, held)
    lesson = _prepare(examples, options)
    strengths = options.strengths[1::_STRIDE] or options.strengths
    shape = (examples.features.width + 1, len(classes))
    passes = range(_count_passes(int((~held).sum()), _PASSES, _LEAST_STEPS))
    steps = len(passes) * _count_steps(held, examples.features.rows)
    descents = [_Descent(strength, np.zeros(shape), steps, _RATE) for strength in strengths]
    lesson.descend(descents, ~held, passes)
    losses = [_measure(lesson, descent, scored, number, on_step) for number, descent in enumerate(descents)]
    best = descents[int(np.argmin(losses))]
    truth = examples.truth[scored]
    held_out = HeldOut(lesson.logits(best.theta, scored), truth, [examples.groups[row] for row in scored.tolist()])
    return Head(tuple(classes), *lesson.scaler.unscale_weights(_refit(lesson, best, passes.stop))), held_out


def _prepare(examples: BlockExamples, options: FitOptions) -> _Lesson:
    features = examples.features
    scaler = fit_scaler_of_blocks(_checked_blocks(features))
    check_varies(scaler)
    weighted = build_sample(np.empty((0, 0), np.float32), examples.truth, options)
    return _Lesson(features, scaler, weighted, options)


def _checked_blocks(features: FeatureBlocks) -> Iterator[Numbers]:
    for start in range(0, features.rows, BLOCK):
        block = features.read(start, min(start + BLOCK, features.rows))
        check_features(block)
        yield block


def _hold_out(examples: BlockExamples, seed: int) -> NDArray[np.bool_]:
    """Choose the groups that are held out: a fifth of them, and fewer where that were too many images."""
    folds = max(5, -(-examples.originals // _MOST_HELD_OUT))
    return np.asarray(assign_folds(examples.truth, examples.groups, seed, folds) == 0)


def _find_scored(examples: BlockExamples, held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Find the rows that can be scored: originals that are held out, and whose class others show."""
    trained = np.bincount(examples.truth[~held], minlength=int(examples.truth.max()) + 1) > 0
    scored = np.flatnonzero((held & trained[examples.truth])[: examples.originals])
    if not len(scored):
        raise PedigreeError(
            "No class has two photographs that do not look alike, so nothing can be held out: add some."
        )
    return scored


def _measure(lesson: _Lesson, descent: _Descent, scored: NDArray[np.int64], number: int, on_step: OnStep) -> float:
    logits, truth = lesson.logits(descent.theta, scored), lesson.sample.truth[scored]
    loss = mean_log_loss(logits, truth)
    accuracy = float((logits.argmax(axis=1) == truth).mean())
    on_step(number, {"l2": descent.strength, "validation_loss": loss, "validation_accuracy": accuracy})
    return loss


def _refit(lesson: _Lesson, best: _Descent, after: int) -> Theta:
    """Let the chosen head learn the held-out images as well, from where it stands."""
    every = np.ones(lesson.features.rows, bool)
    passes = _count_passes(len(every), _LAST_PASSES, _LEAST_STEPS // 2)
    steps = passes * _count_steps(~every, len(every))
    last = _Descent(best.strength, best.theta.copy(), steps, _LAST_RATE)
    lesson.descend([last], every, range(after, after + passes))
    return last.theta


def _count_passes(rows: int, least: int, steps: int) -> int:
    """Count the passes: few images make few steps a pass, and get more passes."""
    return max(least, -(-steps * _BATCH // rows))


def _count_steps(held: NDArray[np.bool_], rows: int) -> int:
    """Count the steps of a pass at most; the last one of a pool is smaller."""
    pools = -(-rows // (BLOCK * _POOL))
    return int((~held).sum()) // _BATCH + pools
