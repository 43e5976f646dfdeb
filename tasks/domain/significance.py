"""How sure a figure is: intervals, paired tests, and what many tests at once leave of their error rate."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONFIDENCE = 0.95
#: So many times the test images are drawn again; a p value then is never below 1 / 2,001.
ROUNDS = 2000
# So many rounds are drawn at once: what bounds memory, and what a processor's cache holds.
_ROUNDS_AT_ONCE = 64


def wilson_interval(hits: Ints, images: Ints, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Bound shares of shape (n,) from hits among images; 0 and 1 where there are no images.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    from scipy.special import ndtri

    z = float(ndtri((1 + confidence) / 2))
    number = np.maximum(images, 1)
    share, wide = hits / number, z * z / number
    middle = (share + wide / 2) / (1 + wide)
    half = np.sqrt(share * (1 - share) * wide + wide * wide / 4) / (1 + wide)
    nonempty = images > 0
    low, high = np.maximum(middle - half, 0), np.minimum(middle + half, 1)
    floor, ceiling = np.where(nonempty & (hits > 0), low, 0.0), np.where(nonempty & (hits < images), high, 1.0)
    return floor, ceiling


def wilson_share(share: float, images: int) -> tuple[float, float]:
    """Bound one share of so many images."""
    low, high = wilson_interval(np.array([round(share * images)]), np.array([images]))
    return float(low[0]), float(high[0])


def mcnemar(wins: Ints, losses: Ints) -> Floats:
    """Give the one-sided p values of so many wins, or more, against so many losses, were both as likely: (n,).

    The exact test of McNemar, "Note on the sampling error of the difference between correlated proportions",
    Psychometrika 1947: ties say nothing, and each other pair is the throw of a coin.
    """
    from scipy.stats import binom

    return np.asarray(binom.sf(wins - 1, wins + losses, 0.5), np.float64)


def bootstrap(
    units: int, sums: Callable[[NDArray[np.float32]], Floats], seed: int, rounds: int = ROUNDS
) -> Iterator[Floats]:
    """Yield, some rounds at once, what ``sums`` makes of how often each unit is drawn: (units, some) to (some, …).

    The bootstrap of Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979: units are
    drawn with replacement, as many as there are. A unit is what does not depend on the others: a near-duplicate group.
    """
    chance = np.random.default_rng(seed)
    for start in range(0, rounds, _ROUNDS_AT_ONCE):
        batch = min(_ROUNDS_AT_ONCE, rounds - start)
        drawn = chance.integers(0, units, (units, batch)) * batch + np.arange(batch)
        counts = np.bincount(drawn.ravel(), minlength=units * batch)
        yield sums(counts.reshape(units, batch).astype(np.float32))


def percentile_interval(drawn: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Bound each column of (rounds, n) by its percentiles; rounds in which a figure does not exist do not count."""
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(drawn, [tail, 100 - tail], axis=0)
    return low, high


def bootstrap_p_value(drawn: Floats, least: float = 0.0) -> Floats:
    """Give the one-sided p value that each column of (rounds, n) is truly above ``least``: (n,).

    It counts the rounds in which it is not, one more than there are, so that it is never nought (Davison and Hinkley,
    "Bootstrap Methods and their Application", 1997, equation 4.11).
    """
    defined = ~np.isnan(drawn)
    below = (defined & ~(drawn > least)).sum(axis=0)
    return np.asarray((below + 1) / (defined.sum(axis=0) + 1), np.float64)


def holm(chances: Sequence[float], rate: float, least: Sequence[float] | None = None) -> list[bool]:
    """Tell which of many one-sided tests speak, so that one of them is wrong in at most ``rate`` of the nights.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979. ``least``
    holds the smallest p value that each test could have reached: of one that could never speak nothing is asked
    (Tarone, "A modified Bonferroni method for discrete data", Biometrics 1990; Hommel and Krummenauer 1998).
    """
    remaining = dict(enumerate(chances))
    lowest = least or [0.0] * len(remaining)
    spoken: list[int] = []
    while remaining:
        limit = rate / _count_testable([lowest[index] for index in remaining], rate)
        new = [index for index, chance in remaining.items() if chance <= limit]
        if not new:
            break
        spoken += new
        for index in new:
            del remaining[index]
    return [index in spoken for index in range(len(chances))]


def estimate_images_needed(better: float, worse: float, rate: float, power: float = 0.8) -> int:
    """Estimate how many images would tell two models apart, by the shares on which only one of them is right.

    Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 1987: enough
    for a one-sided test at ``rate`` to speak with this power. Raises ValueError where the first is not the larger.
    """
    from scipy.special import ndtri

    if better <= worse:
        raise ValueError("what is not better cannot be shown to be")
    discordant, apart = better + worse, better - worse
    root = ndtri(1 - rate) * np.sqrt(discordant) + ndtri(power) * np.sqrt(discordant - apart * apart)
    return int(np.ceil((root / apart) ** 2))


def _count_testable(least: list[float], rate: float) -> int:
    """Find the smallest number of tests k of which at most k could speak at ``rate`` / k."""
    ordered = np.sort(least)
    counts = np.arange(1, len(ordered) + 1)
    able = np.searchsorted(ordered, rate / counts, side="right")
    return int(counts[able <= counts][0])
