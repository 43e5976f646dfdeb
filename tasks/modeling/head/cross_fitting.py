"""Cross-fitting: predictions for images by heads that were fitted without them and their near duplicates."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from configs.cores import count_cores
from configs.errors import PedigreeError
from tasks.domain.training import calibration
from tasks.modeling.head.head import Numbers, fit_scaler
from tasks.modeling.head.softmax_regression import Sample, Theta, compute_logits, fit_softmax

#: The weight decays to try, the strongest first: each fit starts from the solution of the one before.
STRENGTHS = tuple(10.0 ** (-power / 2) for power in range(-1, 13))
_FOLDS = 5
# This many images tell one strength from the next: where a few folds hold as many, the others are not needed.
_ENOUGH = 2000
# Along the path the loss falls and then rises: after this many strengths without a better one, the search ends.
_PATIENCE = 2
# Up to so many images, heads are fitted side by side: beyond, one alone keeps all cores busy, and copies of features
# would fill the memory.
_SIDE_BY_SIDE = 16_384

Truth = NDArray[np.int64]
OnStep = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class FitOptions:
    """How heads are fitted.

    Attributes:
        balanced: Whether all classes weigh the same together, however many images they have.
        smoothing: The share that is taken from each label and spread over all classes.
        strengths: The weight decays to choose from, the strongest first.
        seed: Seed of the folds.
    """

    balanced: bool = False
    smoothing: float = 0.0
    strengths: Sequence[float] = STRENGTHS
    seed: int = 0


@dataclass(frozen=True)
class FoldedImages:
    """Images divided into folds.

    Attributes:
        features: Scaled features of shape (n_images, width).
        truth: The index of each image's class, of shape (n_images,).
        folds: The fold of each image, of shape (n_images,).
        originals: The number of images at the beginning that count; all where it is None. The others are views of
            these.
    """

    features: Numbers
    truth: Truth
    folds: NDArray[np.int64]
    originals: int | None = None

    @property
    def scorable(self) -> NDArray[np.bool_]:
        """Return which images can be scored: their class occurs in other folds too, whose head knows it."""
        pairs, count = np.unique(np.column_stack([self.truth, self.folds]), axis=0), len(self.truth)
        originals = count if self.originals is None else self.originals
        return (np.bincount(pairs[:, 0])[self.truth] > 1) & (np.arange(count) < originals)

    def choose_folds(self, scorable: NDArray[np.bool_]) -> list[int]:
        """Choose as few folds as hold enough images to compare weight decays on.

        Args:
            scorable: Which images can be scored, of shape (n_images,).

        Returns:
            The folds; all of them where there are not enough images.
        """
        counts = np.bincount(self.folds[scorable], minlength=int(self.folds.max()) + 1)
        return list(range(min(len(counts), 1 + int(np.searchsorted(counts.cumsum(), _ENOUGH)))))

    def fit_each(self, options: FitOptions, strength: float, starts: Mapping[int, Theta]) -> dict[int, Theta]:
        """Fit heads, each to all folds but one.

        Few images keep no core busy with their own matrix products, so as many heads as there are cores are then fitted
        side by side. The weights have the same bits.

        Args:
            options: How heads are fitted.
            strength: The weight decay.
            starts: By fold that is left out, the weights to start from.

        Returns:
            The weights by fold, each of the shape of its start.
        """
        folds, cores = list(starts), count_cores()
        few = len(self.truth) <= _SIDE_BY_SIDE
        together = len(folds) - len(folds) % cores if few and cores > 1 else 0

        def fit(fold: int, threads: int | None = None) -> Theta:
            chosen = self.folds != fold
            sample = build_sample(self.features[chosen], self.truth[chosen], options)
            return fit_softmax(sample, strength, options.smoothing, starts[fold], threads)

        with ThreadPoolExecutor(cores) as pool:
            thetas = list(pool.map(partial(fit, threads=1), folds[:together]))
        return dict(zip(folds, [*thetas, *map(fit, folds[together:])], strict=True))

    def logits(self, thetas: Mapping[int, Theta]) -> NDArray[np.float64]:
        """Compute the logits of each fold by the head that was fitted without it.

        Args:
            thetas: The head's weights by fold.

        Returns:
            Logits of shape (n_images, n_classes); NaN for folds without a head.
        """
        answers = np.full((len(self.truth), next(iter(thetas.values())).shape[1]), np.nan)
        for fold, theta in thetas.items():
            answers[self.folds == fold] = compute_logits(self.features[self.folds == fold], theta)
        return answers


@dataclass(frozen=True)
class CrossFit:
    """The weight decay that was best on held-out images, and the predictions of heads with it.

    Attributes:
        strength: The chosen weight decay.
        thetas: By fold, the weights of the head that was fitted without it.
        logits: Of shape (n_images, n_classes), by the head that was fitted without the image's fold; NaN for folds that
            were not needed.
        scored: Which images have logits of a head that knows their class, of shape (n_images,).
    """

    strength: float
    thetas: Mapping[int, Theta]
    logits: NDArray[np.float64]
    scored: NDArray[np.bool_]

    @property
    def mean_theta(self) -> Theta:
        """Return the mean of the heads' weights: a fit to all images is a few steps away from it."""
        return np.asarray(np.mean(list(self.thetas.values()), axis=0))


def out_of_fold(
    features: Numbers, truth: Sequence[int] | Truth, groups: Sequence[str], options: FitOptions | None = None
) -> NDArray[np.float64]:
    """Compute for each image the probability of each class, by a head that saw neither it nor an image of its group.

    The weight decay is chosen by cross-validation, and one temperature calibrates all probabilities.

    Args:
        features: Features of shape (n_images, width), as they come from the backbone.
        truth: The index of each image's class, of shape (n_images,), counted from 0.
        groups: The near-duplicate group of each image.
        options: How heads are fitted; None for the defaults.

    Returns:
        Probabilities of shape (n_images, n_classes). An image whose class has no other group gets nearly 0 for its own
        class, which its head never saw.

    Raises:
        PedigreeError: No class has two groups, so that nothing can be held out.
    """
    options, labels = options or FitOptions(), np.asarray(truth, np.int64)
    folded = FoldedImages(fit_scaler(features).transform(features), labels, assign_folds(labels, groups, options.seed))
    chosen = cross_fit(folded, options)
    others = [fold for fold in range(int(folded.folds.max()) + 1) if fold not in chosen.thetas]
    other_thetas = folded.fit_each(options, chosen.strength, dict.fromkeys(others, chosen.mean_theta))
    logits = folded.logits({**chosen.thetas, **other_thetas})
    return softmax(logits / calibration.fit_temperature(chosen.logits[chosen.scored], labels[chosen.scored]))


def cross_fit(folded: FoldedImages, options: FitOptions, on_step: OnStep = lambda _number, _figures: None) -> CrossFit:
    """Fit heads along the path of weight decays, each without one fold, and keep the one with the lowest log loss.

    Args:
        folded: The images.
        options: How heads are fitted.
        on_step: Called with the number of a weight decay and its metrics on held-out images.

    Returns:
        The chosen weight decay, and the predictions of its heads.

    Raises:
        PedigreeError: Every class lies in one fold only, so that no head can be scored on a class that it knows.
    """
    scorable = folded.scorable
    if not scorable.any():
        raise PedigreeError(
            "No class has two photographs that do not look alike, so nothing can be held out: add some."
        )
    crossed = best = _initial_fit(folded, scorable)
    losses: list[float] = []
    for number, strength in enumerate(options.strengths):
        crossed = _fit_next_strength(folded, options, strength, crossed)
        figures = _measure(folded, crossed)
        on_step(number, figures)
        losses.append(figures["validation_loss"])
        best = crossed if losses[-1] == min(losses) else best
        if number - int(np.argmin(losses)) >= _PATIENCE:
            break
    return best


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute probabilities from logits.

    Args:
        logits: Logits of shape (n_images, n_classes).

    Returns:
        Probabilities of the same shape.
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def build_sample(features: Numbers, truth: Truth, options: FitOptions) -> Sample:
    """Give each image its weight, on average 1.

    Args:
        features: Scaled features of shape (n_images, width).
        truth: The index of each image's class, of shape (n_images,).
        options: Whether all classes weigh the same together, or all images.

    Returns:
        The weighted images.
    """
    if not options.balanced:
        return Sample(features, truth, np.ones(len(truth)))
    counts = np.bincount(truth)
    return Sample(features, truth, len(truth) / (np.count_nonzero(counts) * counts[truth]))


def assign_folds(truth: Truth, groups: Sequence[str], seed: int, count: int = _FOLDS) -> NDArray[np.int64]:
    """Divide groups into folds, at most five unless another number is asked for, those of each class in turn.

    A group of several classes counts for the first of them. Hashes of the groups' names decide the order, so that it
    does not depend on the order of the images.

    Args:
        truth: The index of each image's class, of shape (n_images,).
        groups: The near-duplicate group of each image.
        seed: Seed of the order.
        count: The most folds.

    Returns:
        The fold of each image, of shape (n_images,).
    """
    first: dict[str, int] = {}
    for label, group in zip(truth.tolist(), groups, strict=True):
        first[group] = min(label, first.get(group, label))
    ranked = sorted(first, key=lambda group: (first[group], hashlib.sha256(f"{seed} {group}".encode()).digest()))
    folds = {group: rank % count for rank, group in enumerate(ranked)}
    return np.array([folds[group] for group in groups], np.int64)


def _fit_next_strength(folded: FoldedImages, options: FitOptions, strength: float, before: CrossFit) -> CrossFit:
    """Fit the heads of the next weight decay, starting from those of the one before."""
    thetas = folded.fit_each(options, strength, before.thetas)
    return CrossFit(strength, thetas, folded.logits(thetas), before.scored)


def _measure(folded: FoldedImages, crossed: CrossFit) -> dict[str, float]:
    truth, logits = folded.truth[crossed.scored], crossed.logits[crossed.scored]
    return {
        "l2": crossed.strength,
        "validation_loss": calibration.mean_log_loss(logits, truth),
        "validation_accuracy": float((logits.argmax(axis=1) == truth).mean()),
    }


def _initial_fit(folded: FoldedImages, scorable: NDArray[np.bool_]) -> CrossFit:
    """Return untrained heads, one for each fold that is needed."""
    folds = folded.choose_folds(scorable)
    start = np.zeros((folded.features.shape[1] + 1, int(folded.truth.max()) + 1))
    return CrossFit(np.inf, dict.fromkeys(folds, start), np.empty((0, 0)), scorable & np.isin(folded.folds, folds))
