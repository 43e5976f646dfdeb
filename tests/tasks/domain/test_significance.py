"""Intervals and tests, held against SciPy's and against what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tasks.domain.significance import (
    bootstrap,
    bootstrap_p_value,
    estimate_images_needed,
    holm,
    mcnemar,
    percentile_interval,
    wilson_interval,
)


@given(st.integers(1, 300).flatmap(lambda images: st.tuples(st.integers(0, images), st.just(images))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    """The interval of any share is the one that SciPy computes."""
    hits, images = counts
    low, high = wilson_interval(np.array([hits]), np.array([images]))
    expected = binomtest(hits, images).proportion_ci(method="wilson")
    assert (low[0], high[0]) == (pytest.approx(expected.low, abs=1e-12), pytest.approx(expected.high, abs=1e-12))


def test_nothing_is_known_of_no_images() -> None:
    """Without an image the interval is everything."""
    low, high = wilson_interval(np.array([0]), np.array([0]))
    assert (low[0], high[0]) == (0, 1)


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_is_the_exact_test(wins: int, losses: int) -> None:
    """The p value is that of SciPy's exact test of a coin."""
    first, second = np.array([wins]), np.array([losses])
    pairs = wins + losses
    expected = binomtest(wins, pairs, alternative="greater").pvalue if pairs else 1.0
    assert mcnemar(first, second)[0] == pytest.approx(expected)


def test_each_round_draws_as_many_groups_as_there_are() -> None:
    """A resample keeps the number of groups, draws each about once, and is the same again for the same seed."""
    drawn = np.concatenate(list(bootstrap(50, lambda counts: counts.T.astype(np.float64), seed=3, rounds=500)))
    assert drawn.shape == (500, 50)
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(50), abs=0.25)
    assert drawn.var(axis=0).mean() == pytest.approx(1 - 1 / 50, abs=0.05)
    repeated = np.concatenate(list(bootstrap(50, lambda counts: counts.T.astype(np.float64), seed=3, rounds=500)))
    assert (drawn == repeated).all()


def test_the_bootstraps_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of many samples of 100 the 95% interval of the mean holds the true one in about 95."""
    chance = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        values = chance.exponential(size=(100, 1))
        means = list(bootstrap(100, lambda counts, values=values: counts.T @ values / 100, seed, rounds=500))  # type: ignore[misc]
        low, high = percentile_interval(np.concatenate(means))
        held += bool(low[0] <= 1 <= high[0])
    assert 0.89 <= held / 200 <= 0.98


def test_a_p_value_is_never_nought() -> None:
    """Where all rounds agree, the p value is one in one more than there are rounds; where none does, it is one."""
    drawn = np.stack([np.ones(99), -np.ones(99), np.zeros(99)], axis=1)
    assert bootstrap_p_value(drawn).tolist() == [pytest.approx(0.01), 1.0, 1.0]


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.2))
def test_holm_is_holms(chances: list[float], rate: float) -> None:
    """Where tests can reach any p value, the smallest speaks at rate / n, the next at rate / (n - 1), and so on."""
    order = sorted(range(len(chances)), key=chances.__getitem__)
    expected = set()
    for rank, number in enumerate(order):
        if chances[number] > rate / (len(chances) - rank):
            break
        expected.add(number)
    assert {number for number, spoken in enumerate(holm(chances, rate)) if spoken} == expected


def test_tests_that_could_never_speak_cost_nothing() -> None:
    """A p value of 0.03 speaks beside twenty tests of two images each, which could not have reached 0.05."""
    chances, least = [0.03, *[0.25] * 20], [0.001, *[0.25] * 20]
    assert holm(chances, 0.05, least) == [True, *[False] * 20]
    assert holm(chances, 0.05) == [False] * 21


@given(st.integers(0, 2**32 - 1))
def test_holm_keeps_its_rate_where_tests_are_discrete(seed: int) -> None:
    """Whatever the numbers of pairs, one of ten tests of equal models speaks no more often than the rate."""
    pairs = np.random.default_rng(seed).integers(0, 12, 10)
    wins = np.random.default_rng(seed).binomial(pairs, 0.5, (400, 10))
    worse = mcnemar(wins, pairs - wins)
    least = (0.5**pairs).tolist()
    wrong = np.mean([any(holm(row.tolist(), 0.05, least)) for row in worse])
    assert wrong <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


def test_so_many_images_would_do() -> None:
    """With the number of images that is advised, a test of that power speaks about four times in five."""
    images = estimate_images_needed(0.06, 0.02, 0.05)
    chance = np.random.default_rng(1)
    drawn = chance.multinomial(images, [0.06, 0.02, 0.92], size=4000)
    assert (mcnemar(drawn[:, 0], drawn[:, 1]) <= 0.05).mean() == pytest.approx(0.8, abs=0.06)
    with pytest.raises(ValueError, match="not better"):
        estimate_images_needed(0.02, 0.02, 0.05)
