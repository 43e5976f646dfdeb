"""How often drift is raised on days without a change, and how often what changed is found and named rightly.

A model learns from two fifths of the pictures, a fifth are its test images, and days are drawn from the rest.

python -m tests.benchmarks.drift drawn|PHOTOGRAPHS [WEIGHTS] [--keep FOLDER] [--trials N] [--day N] [--cut CUT]
"""

import argparse
import inspect
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from threadpoolctl import threadpool_limits

from configs.schema import Training
from tasks.domain.serving.drift import (
    KINDS,
    RATE,
    Kind,
    LookSpace,
    PictureSample,
    compare_samples,
    find_drift,
    fit_look_space,
    join_samples,
)
from tasks.domain.significance import holm, wilson_share
from tasks.modeling.head.head import Head
from tasks.modeling.head.training import Examples, build_fit_options, calibrate, train_head
from tests.benchmarks.photographs.alterations import Material, draw_material, read_material

# The share of each class's near-duplicate groups that a model learns from, and that of its test images.
_LEARNED, _TESTED = 0.4, 0.2
# The share of an unseen class among a day's pictures, and how many times as frequent a class becomes.
_UNSEEN, _TIMES = 0.2, 3
#: What happens to a day's pictures, and what it is to be called.
SCENARIOS: dict[str, tuple[Kind, ...]] = {
    "nothing": (),
    "darker": ("look",),
    "half blurred": ("look",),
    "unseen class": ("look",),
    "tripled class": ("mixture",),
}

Indices = NDArray[np.intp]


class Trial(NamedTuple):
    """How many pictures there are a day, and the share of all pictures that are test images."""

    day: int
    tested: float


class Outcome(NamedTuple):
    """What one trial came to: drift by the rule, drift by each day alone at the full rate, the same with KS."""

    raised: tuple[Kind, ...]
    literally: tuple[Kind, ...]
    by_ks: bool
    accuracy: float


def main() -> None:
    """Print a line for each scenario."""
    parser = argparse.ArgumentParser(description=inspect.getdoc(inspect.getmodule(main)))
    parser.add_argument("pictures", help="drawn, for drawn dogs under the demo's backbone; or one folder a class")
    parser.add_argument("weights", nargs="?", type=Path, help="InceptionV3's weights for photographs, a Keras file")
    parser.add_argument("--keep", type=Path, help="a folder where features stay for the next time")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--day", type=int, default=200, help="pictures a day")
    parser.add_argument("--tested", type=float, default=_TESTED, help="the share of pictures that are test images")
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
    print(
        "| what changed | trials | raised | named rightly | 95% interval | each day at 0.001 | KS each day | accuracy |"
    )
    print("|---|---:|---:|---:|---|---:|---:|---:|")
    with threadpool_limits(1):
        for scenario in args.only:
            print(_line(material, scenario, Trial(args.day, args.tested), args.trials), flush=True)


def _line(material: Material, scenario: str, trial: Trial, trials: int) -> str:
    outcomes = [run_trial(material, scenario, trial, seed) for seed in range(trials)]
    right = sum(outcome.raised == SCENARIOS[scenario] for outcome in outcomes) / trials
    raised, literally, by_ks = (sum(bool(outcome[place]) for outcome in outcomes) / trials for place in (0, 1, 2))
    low, high = wilson_share(right, trials)
    accuracy = float(np.mean([outcome.accuracy for outcome in outcomes]))
    return (
        f"| {scenario} | {trials} | {raised:.0%} | {right:.0%} | {low:.0%} to {high:.0%} | {literally:.0%} | "
        f"{by_ks:.0%} | {accuracy:.2f} |"
    )


def run_trial(material: Material, scenario: str, trial: Trial, seed: int) -> Outcome:
    """Train a model, let two days pass, and test each and both.

    Args:
        material: The pictures.
        scenario: What changes.
        trial: How many pictures there are.
        seed: Seed of the split and of the days.

    Returns:
        What was raised.
    """
    chance = np.random.default_rng(seed)
    special = int(chance.integers(len(material.classes)))
    parts = _split(material, chance, special if scenario == "unseen class" else None, trial.tested)
    head, space, reference, accuracy = _train(material, parts)
    days = [
        _sample(head, space, _alter(material, scenario, pictures, chance))
        for pictures in _draw_days(material, parts, scenario, special, trial.day)
    ]
    alone = [compare_samples(reference, sample, seed) for sample in days]
    together = compare_samples(reference, join_samples(days), seed)
    significant = [holm([figures[kind] for kind in KINDS], RATE) for figures in alone]
    literally = tuple(kind for kind, *beyond in zip(KINDS, *significant, strict=True) if all(beyond))
    by_ks = all(_ks(reference, sample) <= RATE / 2 for sample in days)
    return Outcome(find_drift(together, alone), literally, by_ks, accuracy)


def _ks(reference: PictureSample, live: PictureSample) -> float:
    """Return the p value of a Kolmogorov-Smirnov test of each class's probability (Bonferroni)."""
    columns = zip(reference.probabilities.T, live.probabilities.T, strict=True)
    smallest = min(float(ks_2samp(*pair, method="asymp").pvalue) for pair in columns)
    return float(min(1.0, live.probabilities.shape[1] * smallest))


def _split(
    material: Material, chance: np.random.Generator, unseen: int | None, tested: float
) -> tuple[Indices, Indices, Indices]:
    """Deal the groups of each class to learning, testing and days; an unseen class belongs to the days alone."""
    group = np.unique(material.groups, return_inverse=True)[1]
    part = np.full(len(group), 2)
    for number in range(len(material.classes)):
        own = chance.permutation(np.unique(group[material.truth == number]))
        if number != unseen:
            part[np.isin(group, own[: int(len(own) * _LEARNED)])] = 0
            part[np.isin(group, own[int(len(own) * _LEARNED) : int(len(own) * (_LEARNED + tested))])] = 1
    return (
        np.flatnonzero(part == 0),
        _one_a_group(np.flatnonzero(part == 1), group),
        _one_a_group(chance.permutation(np.flatnonzero(part == 2)), group),
    )


def _one_a_group(pictures: Indices, group: Indices) -> Indices:
    return pictures[np.sort(np.unique(group[pictures], return_index=True)[1])]


def _train(material: Material, parts: tuple[Indices, Indices, Indices]) -> tuple[Head, LookSpace, PictureSample, float]:
    learned, tested, _ = parts
    features = material.features["as it is"]
    known = np.unique(material.truth[learned])
    truth = np.searchsorted(known, material.truth[learned])
    groups = [str(material.groups[index]) for index in learned]
    examples = Examples(features[learned], truth.tolist(), groups, len(learned))
    head, held = train_head([material.classes[index] for index in known], examples, build_fit_options(Training()))
    head, _ = calibrate(head, held, 0.95)
    space = fit_look_space(features[learned], truth, len(known))
    reference = _sample(head, space, features[tested])
    accuracy = float((known[reference.predicted] == material.truth[tested]).mean())
    return head, space, reference, accuracy


def _sample(head: Head, space: LookSpace, features: NDArray[np.float32]) -> PictureSample:
    probabilities = head.probabilities(features).astype(np.float64)
    return PictureSample(probabilities, space.project(features, probabilities.argmax(axis=1)))


def _draw_days(
    material: Material,
    parts: tuple[Indices, Indices, Indices],
    scenario: str,
    special: int,
    day: int,
) -> list[Indices]:
    """Draw two days, in which no picture comes twice."""
    pool = parts[2]
    own, others = pool[material.truth[pool] == special], pool[material.truth[pool] != special]
    if scenario == "unseen class":
        many = int(day * _UNSEEN)
        return [
            np.concatenate([own[n * many : (n + 1) * many], others[n * (day - many) :][: day - many]]) for n in (0, 1)
        ]
    if scenario == "tripled class":
        # Where there are not so many pictures of one class, days are shorter.
        share = _TIMES / (len(material.classes) - 1 + _TIMES)
        many = min(round(day * share), len(own) // 2)
        rest = round(many / share) - many
        return [np.concatenate([own[n * many :][:many], others[n * rest :][:rest]]) for n in (0, 1)]
    return [pool[:day], pool[day : 2 * day]]


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
