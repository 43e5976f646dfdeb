"""Which cut of a backbone tells these classes apart best: each measured on the same images, and the choice."""

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
    """What heads on a cut's features say of images that they did not learn from.

    Attributes:
        cut: The layer, or two such as mixed8+mixed9.
        width: How many numbers an image has.
        right: Whether the likeliest class is the right one, of shape (n_images,).
        losses: Minus the logarithm of the right class's probability, of shape (n_images,).
        varies: Whether any of its numbers differs between images.
    """

    cut: str
    width: int
    correct: NDArray[np.bool_]
    losses: Floats
    varies: bool = True


@dataclass(frozen=True, slots=True)
class CutFigures:
    """One cut's figures with 95% intervals.

    Attributes:
        excess: By how much its log loss lies above that of the best single cut, on the same images. Of two together
            the interval is wider: it holds at 95% for all that were tried (Bonferroni), since the best of many looks
            better than it is.
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
    """All cuts on the same images, in the order of the network, which one is chosen, and why."""

    chosen: str
    reason: str
    images: int
    groups: int
    cuts: tuple[CutFigures, ...]

    def __str__(self) -> str:
        """Say what is chosen, why, and on how many images that was measured."""
        measured = f"{count(self.images, 'image')} of {count(self.groups, 'near-duplicate group')}"
        return f"{self.chosen}: {self.reason}; cross-validated on {measured}, none of them a test image"

    def to_dict(self) -> dict[str, Any]:
        """Turn the comparison into what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Draws:
    """Accuracy and log loss of each cut, (2, n_cuts), and the same of the draws, (n_rounds, 2, n_cuts)."""

    means: Floats
    drawn: Floats

    def excess(self, cut: int, other: int, compared: int) -> tuple[float, float, float]:
        """Give the difference in log loss of two cuts, and its paired interval, one of so many that hold together."""
        confidence = 1 - (1 - CONFIDENCE) / compared
        low, high = percentile_interval(self.drawn[:, 1, [cut]] - self.drawn[:, 1, [other]], confidence)
        return float(self.means[1, cut] - self.means[1, other]), float(low[0]), float(high[0])

    def within_one_error(self, cut: int, other: int) -> bool:
        """Tell whether two cuts' log losses differ by no more than one standard error of the difference."""
        spread = np.std(self.drawn[:, 1, cut] - self.drawn[:, 1, other])
        return bool(self.means[1, cut] - self.means[1, other] <= spread)


def compare_cuts(answers: Sequence[CutPredictions], groups: Ints, seed: int = 0) -> CutComparison:
    """Measure each cut and choose one by its log loss, which tells cuts apart on far fewer images than accuracy.

    Of the single cuts the smallest within one standard error of the best is taken (Breiman and others,
    "Classification and Regression Trees", 1984, section 3.4.3), and two cuts together only where their log loss lies
    below that of the best single one beyond chance: its interval is widened for as many pairs as were tried
    (Bonferroni). Intervals are percentiles of a bootstrap over groups.

    Args:
        answers: What each cut's heads say of the same images; at least one is a single cut.
        groups: The number of each image's near-duplicate group, of shape (n_images,), all numbers from 0 on.
        seed: Starts the draws.

    Returns:
        The figures in the order of ``answers``, and the choice.

    Raises:
        PedigreeError: All images have the same numbers at each single cut.
    """
    singles = [index for index, cut in enumerate(answers) if "+" not in cut.cut and cut.varies]
    if not singles:
        raise PedigreeError(
            "All photographs have the same features at each single cut, which tell no class from another: take other "
            "weights."
        )
    draws = _drawn(answers, groups, seed)
    best = min(singles, key=lambda index: draws.means[1, index])
    near = [index for index in singles if draws.within_one_error(index, best)]
    single = min(near, key=lambda index: (answers[index].width, draws.means[1, index]))
    tried = sum("+" in cut.cut for cut in answers)
    figures = tuple(_figures(cut, index, draws, best, tried) for index, cut in enumerate(answers))
    together = min((cut for cut in figures if "+" in cut.cut), key=lambda cut: cut.log_loss, default=None)
    chosen = together if together and together.excess_high < 0 else figures[single]
    reason = _why_single(figures[single], figures[best]) + _why_pair(together, figures[best], tried) + _same(answers)
    return CutComparison(chosen.cut, reason, len(groups), int(groups.max()) + 1, figures)


def _drawn(answers: Sequence[CutPredictions], groups: Ints, seed: int) -> _Draws:
    """Draw the groups again and again; each cut gets the very same draws."""
    columns = np.stack(
        [np.ones(len(groups)), *(cut.correct for cut in answers), *(cut.losses for cut in answers)], axis=1
    )
    sums = np.zeros((int(groups.max()) + 1, columns.shape[1]))
    np.add.at(sums, groups, columns)

    def means(counts: NDArray[Any]) -> Floats:
        """Turn how often each group is drawn, (groups, rounds), into figures, (rounds, 2, cuts)."""
        total = counts.T.astype(np.float64) @ sums
        return np.asarray((total[:, 1:] / total[:, :1]).reshape(len(total), 2, len(answers)))

    drawn = np.concatenate(list(bootstrap(len(sums), means, seed)))
    return _Draws(means(np.ones((len(sums), 1)))[0], drawn)


def _figures(answers: CutPredictions, index: int, draws: _Draws, best: int, tried: int) -> CutFigures:
    accuracy, log_loss = draws.means[:, index]
    low, high = percentile_interval(draws.drawn[:, :, index])
    return CutFigures(
        answers.cut,
        answers.width,
        float(accuracy),
        float(low[0]),
        float(high[0]),
        float(log_loss),
        float(low[1]),
        float(high[1]),
        *draws.excess(index, best, tried if "+" in answers.cut else 1),
    )


def _why_single(single: CutFigures, best: CutFigures) -> str:
    summary = f"log loss {single.log_loss:.3f}, accuracy {single.accuracy:.3f}"
    if single == best:
        return f"of the single cuts {single.cut} has the lowest log loss ({summary})"
    return (
        f"of the single cuts {single.cut} ({summary}) is the smallest within one standard error of the best, "
        f"{best.cut} ({best.log_loss:.3f})"
    )


def _why_pair(together: CutFigures | None, best: CutFigures, tried: int) -> str:
    if together is None:
        return ""
    verdict = "are better beyond chance" if together.excess_high < 0 else "are not better beyond chance"
    difference = f"{together.excess:+.3f} beside {best.cut}"
    interval = f"95% interval {together.excess_low:+.3f} to {together.excess_high:+.3f}"
    summary = f"log loss {together.log_loss:.3f}, accuracy {together.accuracy:.3f}"
    wider = f", widened for {count(tried, 'pair')} tried" if tried > 1 else ""
    return f"; the best two together, {together.cut} ({summary}), {verdict}: {difference}, {interval}{wider}"


def _same(answers: Sequence[CutPredictions]) -> str:
    """Name the cuts at which there was nothing to learn from; they are not chosen."""
    same = [cut.cut for cut in answers if not cut.varies]
    return f"; all photographs have the same features at {', '.join(same)}" if same else ""
