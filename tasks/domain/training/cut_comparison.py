"""Comparison of backbone cuts: which layer's features tell the classes apart best."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.phrasing import count
from tasks.domain.significance import CONFIDENCE, Floats, Ints, bootstrap, percentile_interval


@dataclass(frozen=True, slots=True)
class CutPredictions:
    """How heads on a cut's features predict images that they did not learn from.

    Attributes:
        cut: The layer, or two layers such as mixed8+mixed9.
        width: The number of features of an image.
        correct: Whether each prediction is correct, of shape (n_images,).
        losses: Minus the logarithm of the true class's probability, of shape (n_images,), in nats.
        varies: Whether any feature differs between images.
    """

    cut: str
    width: int
    correct: NDArray[np.bool_]
    losses: Floats
    varies: bool = True


@dataclass(frozen=True, slots=True)
class CutFigures:
    """The metrics of one cut with their 95% intervals.

    Attributes:
        cut: The layer or layers.
        width: The number of features of an image.
        accuracy: The accuracy, with its interval in the two fields that follow.
        log_loss: The mean log loss in nats, with its interval in the two fields that follow.
        excess: By how much the log loss is higher than that of the best single cut, on the same images. The interval of
            two layers together is wider: it holds at 95% for all pairs that were tried (Bonferroni), since the best of
            many looks better than it is.
    """

    cut: str
    width: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    log_loss: float
    log_loss_low: float
    log_loss_high: float
    excess: float
    excess_low: float
    excess_high: float


@dataclass(frozen=True, slots=True)
class CutComparison:
    """All cuts on the same images.

    Attributes:
        chosen: The cut that was chosen.
        reason: Why, in words.
        images: The number of images.
        groups: The number of near-duplicate groups.
        cuts: The metrics of each cut, in the order of the network.
    """

    chosen: str
    reason: str
    images: int
    groups: int
    cuts: tuple[CutFigures, ...]

    def __str__(self) -> str:
        """Describe which cut is chosen, why, and on how many images it was compared."""
        measured = f"{count(self.images, 'image')} of {count(self.groups, 'near-duplicate group')}"
        return f"{self.chosen}: {self.reason}; cross-validated on {measured}, none of them a test image"

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as values that JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Draws:
    """Accuracy and log loss of each cut, as measured and as bootstrapped.

    Attributes:
        means: Of shape (2, n_cuts): accuracy and log loss.
        drawn: The same in each round, of shape (n_rounds, 2, n_cuts).
    """

    means: Floats
    drawn: Floats

    def excess(self, cut: int, other: int, compared: int) -> tuple[float, float, float]:
        """Return the difference in log loss of two cuts, with its paired interval.

        Args:
            cut: The index of the first cut.
            other: The index of the second cut.
            compared: The number of intervals that hold together at 95%.

        Returns:
            The difference, and both ends of the interval.
        """
        confidence = 1 - (1 - CONFIDENCE) / compared
        low, high = percentile_interval(self.drawn[:, 1, [cut]] - self.drawn[:, 1, [other]], confidence)
        return float(self.means[1, cut] - self.means[1, other]), float(low[0]), float(high[0])

    def within_one_error(self, cut: int, other: int) -> bool:
        """Return whether two cuts' log losses differ by at most one standard error of the difference."""
        spread = np.std(self.drawn[:, 1, cut] - self.drawn[:, 1, other])
        return bool(self.means[1, cut] - self.means[1, other] <= spread)


def compare_cuts(predictions: Sequence[CutPredictions], groups: Ints, seed: int = 0) -> CutComparison:
    """Compare cuts and choose one by its log loss, which tells cuts apart on far fewer images than accuracy.

    Of the single cuts, the smallest within one standard error of the best is chosen (Breiman and others,
    "Classification and Regression Trees", 1984, section 3.4.3). Two cuts together are chosen only where their log loss
    is lower than that of the best single one beyond chance; its interval is widened for the number of pairs that were
    tried (Bonferroni). Intervals are percentiles of a bootstrap over groups.

    Args:
        predictions: How each cut's heads predict the same images; at least one is a single cut.
        groups: The number of each image's near-duplicate group, counted from 0, of shape (n_images,).
        seed: Seed of the bootstrap.

    Returns:
        The metrics in the order of ``predictions``, and the choice.

    Raises:
        PedigreeError: At each single cut all images have the same features.
    """
    singles = [index for index, cut in enumerate(predictions) if "+" not in cut.cut and cut.varies]
    if not singles:
        raise PedigreeError(
            "All photographs have the same features at each single cut, which tell no class from another: take other "
            "weights."
        )
    draws = _draw_groups(predictions, groups, seed)
    best = min(singles, key=lambda index: draws.means[1, index])
    near = [index for index in singles if draws.within_one_error(index, best)]
    single = min(near, key=lambda index: (predictions[index].width, draws.means[1, index]))
    tried = sum("+" in cut.cut for cut in predictions)
    figures = tuple(_compute_figures(cut, index, draws, best, tried) for index, cut in enumerate(predictions))
    together = min((cut for cut in figures if "+" in cut.cut), key=lambda cut: cut.log_loss, default=None)
    chosen = together if together and together.excess_high < 0 else figures[single]
    reason = (
        _explain_single(figures[single], figures[best])
        + _explain_pair(together, figures[best], tried)
        + _describe_constant(predictions)
    )
    return CutComparison(chosen.cut, reason, len(groups), int(groups.max()) + 1, figures)


def _draw_groups(predictions: Sequence[CutPredictions], groups: Ints, seed: int) -> _Draws:
    """Bootstrap the groups; all cuts get the same draws.

    Returns:
        Accuracy and log loss of each cut, measured and drawn.
    """
    columns = np.stack(
        [np.ones(len(groups)), *(cut.correct for cut in predictions), *(cut.losses for cut in predictions)], axis=1
    )
    sums = np.zeros((int(groups.max()) + 1, columns.shape[1]))
    np.add.at(sums, groups, columns)

    def means(counts: NDArray[Any]) -> Floats:
        """Compute accuracy and log loss of each cut.

        Args:
            counts: How often each group is drawn, of shape (n_groups, n_rounds).

        Returns:
            Of shape (n_rounds, 2, n_cuts).
        """
        total = counts.T.astype(np.float64) @ sums
        return np.asarray((total[:, 1:] / total[:, :1]).reshape(len(total), 2, len(predictions)))

    drawn = np.concatenate(list(bootstrap(len(sums), means, seed)))
    return _Draws(means(np.ones((len(sums), 1)))[0], drawn)


def _compute_figures(predictions: CutPredictions, index: int, draws: _Draws, best: int, tried: int) -> CutFigures:
    accuracy, log_loss = draws.means[:, index]
    low, high = percentile_interval(draws.drawn[:, :, index])
    compared = tried if "+" in predictions.cut else 1
    excess, excess_low, excess_high = draws.excess(index, best, compared)
    return CutFigures(
        cut=predictions.cut,
        width=predictions.width,
        accuracy=float(accuracy),
        accuracy_low=float(low[0]),
        accuracy_high=float(high[0]),
        log_loss=float(log_loss),
        log_loss_low=float(low[1]),
        log_loss_high=float(high[1]),
        excess=excess,
        excess_low=excess_low,
        excess_high=excess_high,
    )


def _explain_single(single: CutFigures, best: CutFigures) -> str:
    summary = f"log loss {single.log_loss:.3f}, accuracy {single.accuracy:.3f}"
    if single == best:
        return f"of the single cuts {single.cut} has the lowest log loss ({summary})"
    return (
        f"of the single cuts {single.cut} ({summary}) is the smallest within one standard error of the best, "
        f"{best.cut} ({best.log_loss:.3f})"
    )


def _explain_pair(together: CutFigures | None, best: CutFigures, tried: int) -> str:
    if together is None:
        return ""
    verdict = "are better beyond chance" if together.excess_high < 0 else "are not better beyond chance"
    difference = f"{together.excess:+.3f} beside {best.cut}"
    interval = f"95% interval {together.excess_low:+.3f} to {together.excess_high:+.3f}"
    summary = f"log loss {together.log_loss:.3f}, accuracy {together.accuracy:.3f}"
    wider = f", widened for {count(tried, 'pair')} tried" if tried > 1 else ""
    return f"; the best two together, {together.cut} ({summary}), {verdict}: {difference}, {interval}{wider}"


def _describe_constant(predictions: Sequence[CutPredictions]) -> str:
    """Describe at which cuts all images have the same features; these are never chosen."""
    same = [cut.cut for cut in predictions if not cut.varies]
    return f"; all photographs have the same features at {', '.join(same)}" if same else ""
