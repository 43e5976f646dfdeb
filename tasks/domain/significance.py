"""Statistical significance: intervals, paired tests, and the correction for many tests at once."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONFIDENCE = 0.95
#: The rounds of a bootstrap; its p values are never below 1 / 2,001.
ROUNDS = 2000
# The rounds that are drawn at once: few enough for the memory, and for a processor's cache.
_ROUNDS_AT_ONCE = 64


def wilson_interval(hits: Ints, images: Ints, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Compute Wilson's interval of shares.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.

    Args:
        hits: The number of hits, of shape (n,).
        images: The number of images, of shape (n,).
        confidence: The confidence level.

    Returns:
        The lower and the upper ends, each of shape (n,); 0 and 1 where there are no images.
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
    """Compute Wilson's interval of one share.

    Args:
        share: The share, between 0 and 1.
        images: The number of images.

    Returns:
        The lower and the upper end.
    """
    low, high = wilson_interval(np.array([round(share * images)]), np.array([images]))
    return float(low[0]), float(high[0])


def mcnemar(wins: Ints, losses: Ints) -> Floats:
    """Compute one-sided p values of McNemar's exact test.

    McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 1947: ties are
    left out, and every other pair is a win with probability one half.

    Args:
        wins: The number of wins, of shape (n,).
        losses: The number of losses, of shape (n,).

    Returns:
        The probability of at least as many wins, of shape (n,).
    """
    from scipy.stats import binom

    return np.asarray(binom.sf(wins - 1, wins + losses, 0.5), np.float64)


def bootstrap(
    units: int, sums: Callable[[NDArray[np.float32]], Floats], seed: int, rounds: int = ROUNDS
) -> Iterator[Floats]:
    """Draw units with replacement, and compute a statistic of each draw.

    The bootstrap of Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979. Units must be
    independent of each other, as near-duplicate groups are.

    Args:
        units: The number of units; each round draws as many.
        sums: Computes the statistic of shape (n_rounds, ...) from how often each unit is drawn, (n_units, n_rounds).
        seed: Seed of the draws.
        rounds: The number of rounds.

    Yields:
        The statistic of some rounds at once.
    """
    chance = np.random.default_rng(seed)
    for start in range(0, rounds, _ROUNDS_AT_ONCE):
        batch = min(_ROUNDS_AT_ONCE, rounds - start)
        drawn = chance.integers(0, units, (units, batch)) * batch + np.arange(batch)
        counts = np.bincount(drawn.ravel(), minlength=units * batch)
        yield sums(counts.reshape(units, batch).astype(np.float32))


def percentile_interval(drawn: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Compute percentile intervals of bootstrapped figures.

    Args:
        drawn: Figures of shape (n_rounds, n); NaN in rounds in which a figure does not exist.
        confidence: The confidence level.

    Returns:
        The lower and the upper ends, each of shape (n,).
    """
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(drawn, [tail, 100 - tail], axis=0)
    return low, high


def bootstrap_p_value(drawn: Floats, least: float = 0.0) -> Floats:
    """Compute the one-sided p value that a figure is above a limit.

    The share of rounds in which it is not, with one added to both counts, so that it is never 0 (Davison and Hinkley,
    "Bootstrap Methods and their Application", 1997, equation 4.11).

    Args:
        drawn: Figures of shape (n_rounds, n); NaN in rounds in which a figure does not exist.
        least: The limit.

    Returns:
        P values of shape (n,).
    """
    defined = ~np.isnan(drawn)
    below = (defined & ~(drawn > least)).sum(axis=0)
    return np.asarray((below + 1) / (defined.sum(axis=0) + 1), np.float64)


def holm(chances: Sequence[float], rate: float, least: Sequence[float] | None = None) -> list[bool]:
    """Find which of many one-sided tests are significant, with one error rate for all of them together.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979. Tests that
    could never be significant do not count (Tarone, "A modified Bonferroni method for discrete data", Biometrics 1990;
    Hommel and Krummenauer 1998).

    Args:
        chances: The p value of each test.
        rate: The probability of at least one false result.
        least: The smallest p value that each test could have given; None where there is no such limit.

    Returns:
        Whether each test is significant.
    """
    remaining = dict(enumerate(chances))
    lowest = least or [0.0] * len(remaining)
    significant: list[int] = []
    while remaining:
        limit = rate / _count_testable([lowest[index] for index in remaining], rate)
        new = [index for index, chance in remaining.items() if chance <= limit]
        if not new:
            break
        significant += new
        for index in new:
            del remaining[index]
    return [index in significant for index in range(len(chances))]


def estimate_images_needed(better: float, worse: float, rate: float, power: float = 0.8) -> int:
    """Estimate how many images tell two models apart.

    Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 1987.

    Args:
        better: The share of images on which only the better model is correct.
        worse: The share on which only the other one is.
        rate: The error rate of the one-sided test.
        power: The probability that the test is significant.

    Returns:
        The number of images.

    Raises:
        ValueError: The first share is not the larger one.
    """
    from scipy.special import ndtri

    if better <= worse:
        raise ValueError("what is not better cannot be shown to be")
    discordant, apart = better + worse, better - worse
    root = ndtri(1 - rate) * np.sqrt(discordant) + ndtri(power) * np.sqrt(discordant - apart * apart)
    return int(np.ceil((root / apart) ** 2))


def _count_testable(least: list[float], rate: float) -> int:
    """Find the smallest number of tests k of which at most k can be significant at ``rate`` / k."""
    ordered = np.sort(least)
    counts = np.arange(1, len(ordered) + 1)
    testable = np.searchsorted(ordered, rate / counts, side="right")
    return int(counts[testable <= counts][0])
