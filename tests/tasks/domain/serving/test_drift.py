"""Drift on drawn features: a quiet world raises nothing, and what changed is named rightly."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.domain.serving.drift import LIMITS, Comparison, Kind, compare_samples, find_drift
from tasks.domain.serving.look_space import Looks, cross_fit_looks, fit_look_space

_WIDTH, _CLASSES, _DAY = 12, 4, 100


class _World:
    """Classes as clouds of features."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        # Classes lie far apart, and some are wider than others.
        self.centers = self.chance.normal(size=(_CLASSES, _WIDTH)) * 12
        self.spreads = np.linspace(0.6, 1.6, _CLASSES)[:, None]
        truth = self.draw_truth(400)
        features = self.draw(truth)
        self.space = fit_look_space(features, truth)
        rows = np.arange(len(truth))
        self.labelled = self.look(self.draw_truth(160)).join(cross_fit_looks(features, truth, rows, rows))

    def draw_truth(self, pictures: int, weights: tuple[float, ...] = (0.25,) * _CLASSES) -> NDArray[np.intp]:
        return self.chance.choice(_CLASSES, pictures, p=weights).astype(np.intp)

    def draw(self, truth: NDArray[np.intp]) -> NDArray[np.float32]:
        return (self.centers[truth] + self.spreads[truth] * self.chance.normal(size=(len(truth), _WIDTH))).astype(
            np.float32
        )

    def look(self, truth: NDArray[np.intp], shift: float = 0.0) -> Looks:
        return self.space.look(self.draw(truth) + np.float32(shift))

    def judge(self, weights: tuple[float, ...] = (0.25,) * _CLASSES, shift: float = 0.0) -> tuple[Kind, ...]:
        return self.judge_days([self.look(self.draw_truth(_DAY, weights), shift) for _ in range(2)])

    def judge_days(self, days: list[Looks]) -> tuple[Kind, ...]:
        leaning = [compare_samples(self.labelled, day, 0, toward=other) for day, other in (days, days[::-1])]
        return find_drift(compare_samples(self.labelled, days[0].join(days[1]), seed=0), leaning)


def test_a_quiet_world_raises_nothing_and_a_change_is_named() -> None:
    """Days like the test images raise nothing; a class that takes over is the mixture, a shift is the look."""
    worlds = [_World(seed) for seed in range(3)]
    assert {world.judge() for world in worlds} == {()}
    assert Counter(world.judge((0.64, 0.12, 0.12, 0.12)) for world in worlds) == {("mixture",): 3}
    assert Counter(world.judge(shift=0.4) for world in worlds) == {("look",): 3}


def test_p_values_are_those_of_chance() -> None:
    """Without a change a p value of at most a tenth comes once in ten comparisons, in mixture and in look."""
    figures = []
    for seed in range(30):
        world = _World(seed)
        figures.append(compare_samples(world.labelled, world.look(world.draw_truth(40)), seed).p_values)
    for kind in ("mixture", "look"):
        assert sum(figure[kind] <= 0.1 for figure in figures) / len(figures) == pytest.approx(0.1, abs=0.14)


def test_only_what_both_days_share_is_raised() -> None:
    """A day of another look raises nothing beside an ordinary one, nor beside one that differs in the opposite way."""
    worlds = [_World(seed) for seed in range(6)]
    assert all(_odd_day(world).p_values["look"] <= LIMITS["look"] for world in worlds)
    for shift in (0.0, -1.0):
        raised = [world.judge_days([_day(world, 1.0), _day(world, shift)]) for world in worlds]
        assert raised.count(()) >= len(worlds) - 1


def test_an_ordinary_day_leans_toward_an_odd_one_by_chance_alone() -> None:
    """However odd the other day is, a p value of at most a tenth comes once in ten comparisons."""
    worlds = [_World(seed) for seed in range(30)]
    leaning = [compare_samples(world.labelled, _day(world), 0, toward=_day(world, 3.0)) for world in worlds]
    assert sum(day.p_values["look"] <= 0.1 for day in leaning) / len(worlds) == pytest.approx(0.1, abs=0.14)


def _day(world: _World, shift: float = 0.0) -> Looks:
    return world.look(world.draw_truth(_DAY), shift)


def _odd_day(world: _World) -> Comparison:
    return compare_samples(world.labelled, _day(world, 1.0), seed=0)


def test_the_look_is_blind_to_the_mixture() -> None:
    """Were there only pictures of one class, their look would be compared with that class alone."""
    world = _World(3)
    figures = compare_samples(world.labelled, world.look(world.draw_truth(_DAY, (1, 0, 0, 0))), seed=1)
    assert figures.p_values["mixture"] <= LIMITS["mixture"]
    assert figures.p_values["look"] > 0.01
    assert (figures.strongest, figures.rises) == (0, True)


def test_the_same_pictures_give_the_same_figures() -> None:
    """Chance is seeded: a day that is judged again is judged alike."""
    world = _World(5)
    day = world.look(world.draw_truth(_DAY))
    first, second = (compare_samples(world.labelled, day, seed=7) for _ in "ab")
    assert first.p_values == second.p_values
    assert first.at_least.tolist() == second.at_least.tolist()


@pytest.mark.parametrize(
    ("together", "days", "expected"),
    [
        ((1, 0.0003), ((1, 0.01), (1, 0.01)), ("look",)),
        ((1, 0.0003), ((1, 0.01), (1, 0.2)), ()),  # One day alone.
        ((1, 0.003), ((1, 0.01), (1, 0.01)), ()),
        ((0.001, 1), ((0.01, 1), (0.01, 1)), ()),  # The mixture's p values come out too small.
        ((0.0003, 0.0003), ((0.01, 0.01), (0.01, 0.01)), ("look",)),  # The mixture follows from the look.
        ((0.0003, 0.01), ((0.01, 0.05), (0.01, 0.05)), ("mixture",)),
        ((0.0003, 0.5), ((0.01, 0.5), (0.01, 0.5)), ("mixture",)),
    ],
)
def test_drift_is_what_two_days_show_together(
    together: tuple[float, float], days: tuple[tuple[float, float], ...], expected: tuple[str, ...]
) -> None:
    """Both days together must show it beyond chance, and each of them alone must lean that way."""
    named = [_comparison(mixture, look) for mixture, look in (together, *days)]
    assert find_drift(named[0], named[1:]) == expected


def test_both_days_must_have_more_of_the_same_class() -> None:
    """A day on which another class comes more often, or the same one less often, does not make it two days running."""
    together, day = _comparison(0.0003, 1), _comparison(0.01, 1)
    assert find_drift(together, [day, day]) == ("mixture",)
    assert find_drift(together, [day, _comparison(0.01, 1, others=True)]) == ()
    fewer = Comparison(day.p_values, 0, rises=False, at_least=day.at_most, at_most=day.at_least)
    assert find_drift(together, [day, fewer]) == ()


def _comparison(mixture: float, look: float, *, others: bool = False) -> Comparison:
    """Make a comparison in which the first class comes more often, or else the second."""
    tail = np.array([mixture, 1.0])
    p_values: dict[Kind, float] = {"mixture": mixture, "look": look}
    at_least = tail[::-1] if others else tail
    return Comparison(p_values, int(others), rises=True, at_least=at_least, at_most=np.ones(2))
