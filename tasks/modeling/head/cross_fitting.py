"""Cross-fitting: what heads say of images that neither they nor any near duplicate of them were fitted on."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.training import calibration
from tasks.modeling.head.head import Numbers, fit_scaler
from tasks.modeling.head.softmax_regression import Sample, Theta, compute_logits, fit_softmax

#: The weight decays that are tried, the strongest first: each solution is where the next fit begins.
STRENGTHS = tuple(10.0 ** (-power / 2) for power in range(-1, 13))
_FOLDS = 5
# So many images tell one strength from the next: where a few folds hold as many, the others are not needed for that.
_ENOUGH = 2000
# Along the path the loss falls and then rises: after so many strengths without a better one the rest is not tried.
_PATIENCE = 2

Truth = NDArray[np.int64]
OnStep = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class FitOptions:
    """How heads are fitted.

    Attributes:
        balanced: Whether all classes weigh the same together, however many images they have.
        smoothing: Share of certainty that is taken from each label and spread over all classes.
        strengths: The weight decays to choose from, the strongest first.
        seed: Other seeds deal the groups into other folds.
    """

    balanced: bool = False
    smoothing: float = 0.0
    strengths: Sequence[float] = STRENGTHS
    seed: int = 0


@dataclass(frozen=True)
class FoldedImages:
    """Images dealt into folds.

    Attributes:
        features: Scaled features of shape (n_images, width).
        truth: The index of each image's class, of shape (n_images,).
        folds: The fold of each image, of shape (n_images,).
        originals: The first so many are judged, all where it is None; the others are views of these.
    """

    features: Numbers
    truth: Truth
    folds: NDArray[np.int64]
    originals: int | None = None

    @property
    def scorable(self) -> NDArray[np.bool_]:
        """Tell which images can be judged: their class lies in other folds, too, whose head knows it."""
        pairs, count = np.unique(np.column_stack([self.truth, self.folds]), axis=0), len(self.truth)
        originals = count if self.originals is None else self.originals
        return (np.bincount(pairs[:, 0])[self.truth] > 1) & (np.arange(count) < originals)

    def choose_folds(self, fair: NDArray[np.bool_]) -> list[int]:
        """Name as few folds as hold enough fair images to choose by; all of them where there are not enough."""
        counts = np.bincount(self.folds[fair], minlength=int(self.folds.max()) + 1)
        return list(range(min(len(counts), 1 + int(np.searchsorted(counts.cumsum(), _ENOUGH)))))

    def fit_without(self, fold: int, recipe: FitOptions, strength: float, start: Theta) -> Theta:
        """Fit a head to all other folds."""
        in_training = self.folds != fold
        return fit_softmax(
            build_sample(self.features[in_training], self.truth[in_training], recipe), strength, recipe.smoothing, start
        )

    def logits(self, thetas: Mapping[int, Theta]) -> NDArray[np.float64]:
        """Ask each head about the fold that it was fitted without; NaN for other folds."""
        answers = np.full((len(self.truth), next(iter(thetas.values())).shape[1]), np.nan)
        for fold, theta in thetas.items():
            answers[self.folds == fold] = compute_logits(self.features[self.folds == fold], theta)
        return answers


@dataclass(frozen=True)
class CrossFit:
    """The strength that was best on held-out images, and what heads of that strength say of these.

    Attributes:
        strength: The chosen weight decay.
        thetas: By fold, the head that was fitted without it.
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
        """Average the heads: a fit to all images is a few steps away from that."""
        return np.asarray(np.mean(list(self.thetas.values()), axis=0))


def out_of_fold(
    features: Numbers, truth: Sequence[int] | Truth, groups: Sequence[str], recipe: FitOptions | None = None
) -> NDArray[np.float64]:
    """Say of each image how likely each class is, by a head that saw neither it nor any image of its group.

    The weight decay is chosen by cross-validation, and one temperature calibrates all answers.

    Args:
        features: Of shape (n_images, width), as they come from the backbone.
        truth: The index of each image's class, of shape (n_images,), counted from 0.
        groups: The near-duplicate group of each image.
        recipe: How heads are fitted; None for the defaults.

    Returns:
        Probabilities of shape (n_images, n_classes). An image whose class has no other group gets nearly 0 for its own
        class, which its head never saw.

    Raises:
        PedigreeError: Where no class has two groups, so that nothing can be held out.
    """
    recipe, labels = recipe or FitOptions(), np.asarray(truth, np.int64)
    folded = FoldedImages(fit_scaler(features).transform(features), labels, assign_folds(labels, groups, recipe.seed))
    chosen = cross_fit(folded, recipe)
    other_thetas = {
        fold: folded.fit_without(fold, recipe, chosen.strength, chosen.mean_theta)
        for fold in range(int(folded.folds.max()) + 1)
        if fold not in chosen.thetas
    }
    logits = folded.logits({**chosen.thetas, **other_thetas})
    return softmax(logits / calibration.fit_temperature(chosen.logits[chosen.scored], labels[chosen.scored]))


def cross_fit(folded: FoldedImages, recipe: FitOptions, on_step: OnStep = lambda _number, _figures: None) -> CrossFit:
    """Fit heads along the path of strengths, each without one fold, and keep the strength with the least log loss.

    Args:
        folded: The images.
        recipe: How heads are fitted.
        on_step: Is called with the number of a strength and its figures on images held out.

    Returns:
        The chosen strength, and what its heads say of the images that they were not fitted on.

    Raises:
        Problem: Where every class lies in one fold only, so that no head can be asked about a class that it knows.
    """
    fair = folded.scorable
    if not fair.any():
        raise PedigreeError(
            "No class has two photographs that do not look alike, so nothing can be held out: add some."
        )
    crossed = best = _initial_fit(folded, fair)
    losses: list[float] = []
    for number, strength in enumerate(recipe.strengths):
        crossed = _fit_next_strength(folded, recipe, strength, crossed)
        figures = _figures(folded, crossed)
        on_step(number, figures)
        losses.append(figures["validation_loss"])
        best = crossed if losses[-1] == min(losses) else best
        if number - int(np.argmin(losses)) >= _PATIENCE:
            break
    return best


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn logits of shape (n_images, n_classes) into probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def build_sample(features: Numbers, truth: Truth, recipe: FitOptions) -> Sample:
    """Give each image its weight, on average 1: the same for all, or all classes that occur weigh the same together."""
    if not recipe.balanced:
        return Sample(features, truth, np.ones(len(truth)))
    counts = np.bincount(truth)
    return Sample(features, truth, len(truth) / (np.count_nonzero(counts) * counts[truth]))


def assign_folds(truth: Truth, groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Deal groups into at most five folds, those of each class in turn, and return each image's fold: (n_images,).

    A group that holds several classes is dealt with the first of them. Hashes of the groups' names decide the order, so
    that it does not depend on the order of the images.
    """
    first: dict[str, int] = {}
    for label, group in zip(truth.tolist(), groups, strict=True):
        first[group] = min(label, first.get(group, label))
    ranked = sorted(first, key=lambda group: (first[group], hashlib.sha256(f"{seed} {group}".encode()).digest()))
    folds = {group: rank % _FOLDS for rank, group in enumerate(ranked)}
    return np.array([folds[group] for group in groups], np.int64)


def _fit_next_strength(folded: FoldedImages, recipe: FitOptions, strength: float, before: CrossFit) -> CrossFit:
    """Go on along the path to the next strength."""
    thetas = {fold: folded.fit_without(fold, recipe, strength, start) for fold, start in before.thetas.items()}
    return CrossFit(strength, thetas, folded.logits(thetas), before.scored)


def _figures(folded: FoldedImages, crossed: CrossFit) -> dict[str, float]:
    truth, logits = folded.truth[crossed.scored], crossed.logits[crossed.scored]
    return {
        "l2": crossed.strength,
        "validation_loss": calibration.mean_log_loss(logits, truth),
        "validation_accuracy": float((logits.argmax(axis=1) == truth).mean()),
    }


def _initial_fit(folded: FoldedImages, fair: NDArray[np.bool_]) -> CrossFit:
    """Begin with heads that know nothing, one for each fold that is needed."""
    needed = folded.choose_folds(fair)
    start = np.zeros((folded.features.shape[1] + 1, int(folded.truth.max()) + 1))
    return CrossFit(np.inf, dict.fromkeys(needed, start), np.empty((0, 0)), fair & np.isin(folded.folds, needed))
