"""How often drift is raised on days without a change, and how often what changed is found and named rightly.

Two days are drawn from the pictures, one picture a near-duplicate group. Of the others the space of looks is fitted to
two thirds, and one third are test images.

python -m tests.benchmarks.drift drawn|PHOTOGRAPHS [WEIGHTS] [--keep FOLDER] [--trials N] [--only SCENARIO …]
"""

import argparse
import inspect
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tasks.domain.serving.drift import Kind, compare_samples, find_drift
from tasks.domain.serving.look_space import Looks, LookSpace, cross_fit_looks, fit_look_space
from tasks.domain.significance import wilson_share
from tests.benchmarks.photographs.alterations import Material, draw_material, read_material

# The share of test images among those that are left.
_TESTED = 1 / 3
# The share of an unseen class among a day's pictures, and how many times as frequent a class becomes.
_UNSEEN, _TIMES = 0.2, 3
_AGAIN = "tripled class, again"
#: What happens to a day's pictures, and what it is to be called.
SCENARIOS: dict[str, tuple[Kind, ...]] = {
    "nothing": (),
    "darker": ("look",),
    "half blurred": ("look",),
    "unseen class": ("look",),
    "tripled class": ("mixture",),
    _AGAIN: ("mixture",),
}

Indices = NDArray[np.intp]


class Trial(NamedTuple):
    """How many pictures there are a day, and the share of test images among those that are left."""

    day: int
    tested: float


class Deal(NamedTuple):
    """Which pictures are learned from, which are test images, and which come on each of two days."""

    learned: Indices
    tested: Indices
    days: tuple[Indices, ...]


class Outcome(NamedTuple):
    """What one trial came to: what was raised, the same with true classes, how often the nearest class is right."""

    raised: tuple[Kind, ...]
    by_truth: bool
    accuracy: float


def main() -> None:
    """Print a line for each scenario."""
    parser = argparse.ArgumentParser(description=inspect.getdoc(inspect.getmodule(main)))
    parser.add_argument("pictures", help="drawn, for drawn dogs under the demo's backbone; or one folder a class")
    parser.add_argument("weights", nargs="?", type=Path, help="InceptionV3's weights for photographs, a Keras file")
    parser.add_argument("--keep", type=Path, help="a folder where features stay for the next time")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="the number of the first trial")
    parser.add_argument("--day", type=int, default=200, help="pictures a day")
    parser.add_argument("--tested", type=float, default=_TESTED, help="the share of test images among those left")
    parser.add_argument("--cut", default="mixed9", help="the cut of photographs")
    parser.add_argument("--only", nargs="+", choices=sorted(SCENARIOS), default=list(SCENARIOS))
    args = parser.parse_args()
    if args.pictures == "drawn":
        material = draw_material(args.keep)
    else:
        material = read_material(Path(args.pictures), args.weights, args.cut, args.keep)
    print(
        f"{len(material.truth):,} pictures of {len(material.classes)} classes, days of {args.day}, two days running\n"
    )
    print("| what changed | trials | raised | named rightly | 95% interval | mixture by true classes | nearest right |")
    print("|---|---:|---:|---:|---|---:|---:|")
    with threadpool_limits(1):
        for scenario in args.only:
            seeds = range(args.first, args.first + args.trials)
            print(_line(material, scenario, Trial(args.day, args.tested), seeds), flush=True)


def _line(material: Material, scenario: str, trial: Trial, seeds: range) -> str:
    outcomes = [run_trial(material, scenario, trial, seed) for seed in seeds]
    right = sum(outcome.raised == SCENARIOS[scenario] for outcome in outcomes) / len(seeds)
    raised, by_truth = (sum(bool(outcome[place]) for outcome in outcomes) / len(seeds) for place in (0, 1))
    low, high = wilson_share(right, len(seeds))
    accuracy = float(np.mean([outcome.accuracy for outcome in outcomes]))
    return (
        f"| {scenario} | {len(seeds)} | {raised:.1%} | {right:.1%} | {low:.0%} to {high:.0%} | {by_truth:.0%} | "
        f"{accuracy:.2f} |"
    )


def run_trial(material: Material, scenario: str, trial: Trial, seed: int) -> Outcome:
    """Let two days pass, and compare each day and both with what is left.

    Args:
        material: The pictures.
        scenario: What changes.
        trial: How many pictures there are.
        seed: Seed of the days and of the split; the class that changes is another one each time.

    Returns:
        What was raised.
    """
    chance = np.random.default_rng(seed)
    deal = _deal(material, scenario, trial, seed % len(material.classes), chance)
    known = np.unique(material.truth[deal.learned])
    space, labelled, truth = _train(material, deal, known)
    days = [
        _sample(space, pictures, _alter(material, scenario, pictures, chance), before)
        for pictures, before in zip(deal.days, (deal.days[0][:0], deal.days[0]), strict=True)
    ]
    marks = np.eye(len(material.classes))[:, known]
    by_truth = [_only_mixture(marks[material.truth[pictures]]) for pictures in deal.days]
    mixture = _judge(_only_mixture(np.eye(len(known))[truth]), by_truth, seed)
    accuracy = float((labelled.posteriors.argmax(axis=1) == truth).mean())
    return Outcome(_judge(labelled, days, seed), "mixture" in mixture, accuracy)


def _judge(labelled: Looks, days: list[Looks], seed: int) -> tuple[Kind, ...]:
    first, second = days
    leaning = [compare_samples(labelled, day, seed, toward=other) for day, other in (days, days[::-1])]
    return find_drift(compare_samples(labelled, first.join(second), seed), leaning)


def _only_mixture(posteriors: NDArray[np.float64]) -> Looks:
    """Return pictures that all look alike, by a model that is always right; what it never learned is of no class."""
    return Looks(np.zeros((2, 1), np.float32), np.zeros(2, np.intp), posteriors)


def _deal(material: Material, scenario: str, trial: Trial, special: int, chance: np.random.Generator) -> Deal:
    """Draw two days, one picture of each group, and deal the other groups to learning and testing."""
    picked = chance.permutation(len(material.truth))
    picked = picked[np.unique(material.groups[picked], return_index=True)[1]]
    picked = chance.permutation(picked)
    own, others = picked[material.truth[picked] == special], picked[material.truth[picked] != special]
    if scenario == "unseen class":
        many = int(trial.day * _UNSEEN)
        days = [
            np.concatenate([own[n * many :][:many], others[n * (trial.day - many) :][: trial.day - many]])
            for n in (0, 1)
        ]
        rest = others[2 * (trial.day - many) :]
    elif scenario == "tripled class":
        days, rest = _triple(own, others, trial, chance)
    elif scenario == _AGAIN:
        days, rest = _triple_again(material, picked, special, trial, chance)
    else:
        days, rest = [picked[: trial.day], picked[trial.day : 2 * trial.day]], picked[2 * trial.day :]
    tested = rest[: int(len(rest) * trial.tested)]
    learned = np.flatnonzero(np.isin(material.groups, material.groups[rest[len(tested) :]]))
    return Deal(learned, tested, tuple(days))


def _triple(own: Indices, others: Indices, trial: Trial, chance: np.random.Generator) -> tuple[list[Indices], Indices]:
    """Draw days with a tripled class, and what is left in the shares of before.

    There are pictures of the class for both only where it was rather rare: its share is as large as they allow.

    Returns:
        The days, and the other pictures.
    """
    share = max(
        share
        for share in np.linspace(0.01, 0.3, 30)
        if len(own) >= 2 * trial.day * _tripled(share) + share * _left(others, trial, share)
    )
    counts = chance.binomial(trial.day, _tripled(share), 2)
    live = int(counts.sum())
    left = int(_left(others, trial, share))
    few = min(int(chance.binomial(left, share)), len(own) - live)
    rest = np.concatenate([own[live:][:few], others[2 * trial.day - live :][: left - few]])
    parts = np.split(others[: 2 * trial.day - live], [trial.day - counts[0]])
    days = [np.concatenate(pair) for pair in zip(np.split(own[:live], [counts[0]]), parts, strict=True)]
    return days, chance.permutation(rest)


def _tripled(share: float) -> float:
    return float(_TIMES * share / (1 + (_TIMES - 1) * share))


def _left(others: Indices, trial: Trial, share: float) -> float:
    return float((len(others) - 2 * trial.day * (1 - _tripled(share))) / (1 - share))


def _triple_again(
    material: Material, picked: Indices, special: int, trial: Trial, chance: np.random.Generator
) -> tuple[list[Indices], Indices]:
    """Draw days from two fifths of the pictures, in which photographs of a tripled class come more than once.

    Returns:
        The days, and the other pictures.
    """
    live, rest = np.split(picked, [2 * len(picked) // 5])
    own, others = live[material.truth[live] == special], live[material.truth[live] != special]
    counts = chance.binomial(trial.day, _tripled(float((material.truth[picked] == special).mean())), 2)
    parts = np.split(others[: 2 * trial.day - int(counts.sum())], [trial.day - counts[0]])
    return [np.concatenate([chance.choice(own, many), part]) for many, part in zip(counts, parts, strict=True)], rest


def _train(material: Material, deal: Deal, known: Indices) -> tuple[LookSpace, Looks, Indices]:
    """Fit the space of looks, and look at the labelled pictures.

    Returns:
        The space, the looks of the test images and of one training image a group, and their classes.
    """
    features, learned = material.features["as it is"], deal.learned
    truth = np.searchsorted(known, material.truth[learned]).astype(np.intp)
    space, groups = (
        fit_look_space(features[learned], truth),
        np.unique(material.groups[learned], return_inverse=True)[1],
    )
    first = np.unique(groups, return_index=True)[1]
    tested = deal.tested[np.isin(material.truth[deal.tested], known)]
    looks = space.look(features[tested]).join(cross_fit_looks(features[learned], truth, groups, first))
    tested_truth = np.searchsorted(known, material.truth[tested]).astype(np.intp)
    return space, looks, np.concatenate([tested_truth, truth[first]])


def _sample(space: LookSpace, pictures: Indices, features: NDArray[np.float32], before: Indices) -> Looks:
    """Return what the service sees of a day; it compares the look of each picture once, however often it comes."""
    looks, once = space.look(features), np.sort(np.unique(pictures, return_index=True)[1])
    once = once[~np.isin(pictures[once], before)]
    return Looks(looks.vectors[once], looks.nearest[once], looks.posteriors)


def _alter(material: Material, scenario: str, pictures: Indices, chance: np.random.Generator) -> NDArray[np.float32]:
    features = material.features["as it is"][pictures].copy()
    if scenario == "darker":
        return material.features["darker"][pictures]
    if scenario == "half blurred":
        half = chance.permutation(len(pictures))[: len(pictures) // 2]
        features[half] = material.features["blurred"][pictures[half]]
    return features


if __name__ == "__main__":
    main()
