"""Runs whose labels moved, damaged and honest ones, judged by the default rules on real photographs' features.

Everything but the photographs is redrawn: splits, what run 1 held, and what became of the labels by run 2.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from configs.schema import Dataset, Training
from configs.sections import Gate
from tasks.domain.datasets.label_issues import fit_pca
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Shares, Split, assign_splits
from tasks.domain.datasets.version_diff import measure_drift
from tasks.domain.evaluation.comparison import EvaluationSet
from tasks.domain.evaluation.data_growth import DataGrowth, VersionFeatures, compare_training_data, cross_validate
from tasks.domain.evaluation.label_changes import Relabelling, find_relabelling
from tasks.domain.evaluation.label_evidence import (
    LabelEvidence,
    collect_label_evidence,
    find_recall_drops,
    predict_with_head,
    read_champion_predictions,
)
from tasks.domain.evaluation.metrics import measure_models
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.gate.gate import GateInputs, Verdict, apply_gate_rules
from tasks.domain.gate.serving_check import ServingCheck
from tasks.domain.significance import wilson_interval
from tasks.modeling.head.cross_fitting import build_sample
from tasks.modeling.head.head import Head, fit_scaler
from tasks.modeling.head.softmax_regression import fit_softmax
from tasks.modeling.head.training import Examples, build_fit_options, train_head
from tests.benchmarks.photographs.collection import Collection

CUTS = ("mixed9", "mixed10")
# The figures in docs/explanation/accuracy.md are of ten worlds.
WORLDS, RUNS_EACH = 2, 20
# More than so much of a class's true recall must no promotion cost.
HARM = 0.1
Policy = Literal["likely-improvement", "improvement", "no-harm"]
Labels = NDArray[np.str_]
Places = NDArray[np.bool_]
Tally = tuple[str, str]


@dataclass(frozen=True)
class World:
    """One redrawn split of a collection, what of it run 1 held, and its features by one cut."""

    collection: Collection
    features: NDArray[np.float32]
    reduced: NDArray[np.float32]
    splits: tuple[Split, ...]
    first: Places

    @property
    def truth(self) -> Labels:
        """Give each image its true class."""
        return np.array(self.collection.labels)

    def places(self, split: Split) -> Places:
        """Tell which images are in a split."""
        return np.array([given is split for given in self.splits])

    def rows(self, labels: Labels, places: Places) -> list[Row]:
        """Write a version of some of the images."""
        images = self.collection.images
        return [Row(images[i], str(labels[i]), self.splits[i], (), images[i]) for i in np.flatnonzero(places)]

    def says(self, head: Head) -> Predictions:
        """Ask a head about the test images."""
        return Predictions(head.classes, head.probabilities(self.features[self.places(Split.TEST)]), head.threshold)

    def recalls(self, head: Head) -> dict[str, float]:
        """Measure the true recall of each class on the test images."""
        truth = self.truth[self.places(Split.TEST)]
        answers = np.array(self.says(head).labels())
        return {str(label): float((answers[truth == label] == label).mean()) for label in np.unique(truth)}


def world(collection: Collection, cut: str, seed: int) -> World:
    """Deal the splits anew, and give run 1 four fifths of the near-duplicate groups."""
    chance = np.random.default_rng(seed)
    grouped = {image: f"{seed} {group}" for image, group in zip(collection.images, collection.groups, strict=True)}
    shares = Shares(Dataset().test_percent, Dataset().validation_percent)
    given = assign_splits(grouped, {}, shares)
    early = {group for group in sorted(set(collection.groups)) if chance.random() < 0.8}
    features = collection.features[cut]
    return World(
        collection,
        features,
        fit_pca(features).transform(features).astype(np.float32),
        tuple(given[image].split for image in collection.images),
        np.array([group in early for group in collection.groups]),
    )


def decay(of: World) -> float:
    """Choose the weight decay on clean labels as a run does: a search takes forty times as long as one fit."""
    tried: list[tuple[float, float]] = []
    learned = np.flatnonzero(~of.places(Split.TEST))
    classes, truth = np.unique(of.truth[learned], return_inverse=True)
    groups = [of.collection.groups[index] for index in learned]
    train_head(
        tuple(map(str, classes)),
        Examples(of.features[learned], truth.tolist(), groups, len(learned)),
        build_fit_options(Training()),
        lambda _number, figures: tried.append((figures["validation_loss"], figures["l2"])),
    )
    return min(tried)[1]


def trained(of: World, labels: Labels, places: Places, l2: float) -> Head:
    """Fit a head as a run does at the end; no default rule asks for a calibrated one."""
    learned = np.flatnonzero(places & ~of.places(Split.TEST))
    classes, truth = np.unique(labels[learned], return_inverse=True)
    scaling, recipe = fit_scaler(of.features[learned]), build_fit_options(Training())
    start = np.zeros((of.features.shape[1] + 1, len(classes)))
    images = build_sample(scaling.transform(of.features[learned]), truth, recipe)
    return Head(tuple(map(str, classes)), *scaling.unscale_weights(fit_softmax(images, l2, recipe.smoothing, start)))


def judged(of: World, heads: tuple[Head, Head], before: Labels, after: Labels) -> dict[Policy, Verdict]:
    """Judge the challenger, the first of the heads, as run 2 does: by the labels before and after."""
    rows, former = of.rows(after, np.ones(len(after), bool)), of.rows(before, of.first)
    groups = dict(zip(of.collection.images, of.collection.groups, strict=True))
    changes = find_relabelling({row.image: row.label for row in former}, rows, lambda names: [groups[n] for n in names])
    challenger, champion = (of.says(head) for head in heads)
    champion = champion.rename_classes([changes.vocabulary.translate_former(label) for label in champion.classes])
    tested = [row for row in rows if row.split is Split.TEST]
    names = [row.image for row in tested]
    evaluation_set = EvaluationSet(
        [row.label for row in tested],
        [groups[name] for name in names],
        [()] * len(names),
        changes.find_moved(names),
        changes.vocabulary.finer,
    )
    measured = measure_models(challenger, champion, evaluation_set, Gate().minimum_support)
    lost = measured.comparison.only_champion if measured.comparison else ()
    evidence = _evidence(of, changes, after, (challenger, champion))
    held = measure_drift(rows, former, lost, 0)
    learned = _growth(of, (rows, former))
    facts = GateInputs(measured, None, held, ServingCheck("1", 8), learned, evidence)
    return {needs: apply_gate_rules(facts, Gate(needs=needs)) for needs in get_args(Policy)}


def _growth(of: World, versions: tuple[list[Row], list[Row]]) -> DataGrowth:
    """Compare what both learned from, as a run with the same settings does."""
    place_of = {image: number for number, image in enumerate(of.collection.images)}
    pair = []
    for rows in versions:
        places = [place_of[row.image] for row in rows]
        groups = [of.collection.groups[number] for number in places]
        pair.append(
            VersionFeatures([row.image for row in rows], of.reduced[places], [row.label for row in rows], groups)
        )
    return replace(compare_training_data(*versions, "same"), cross_validated=cross_validate(*pair))


def _evidence(
    of: World, changes: Relabelling, after: Labels, answers: tuple[Predictions, Predictions]
) -> LabelEvidence:
    challenger, champion = answers
    common = [changes.vocabulary.translate_current(str(label)) for label in after]
    names = [of.collection.images[i] for i in np.flatnonzero(of.places(Split.TEST))]
    earlier = {moved.image: moved.before for moved in changes.moved}
    labels = dict(zip(of.collection.images, common, strict=True))
    coarse = challenger.rename_classes([changes.vocabulary.translate_current(label) for label in challenger.classes])
    return collect_label_evidence(
        changes,
        predict_with_head(changes, of.reduced, common, of.collection.groups, of.collection.images),
        read_champion_predictions(changes, names, champion),
        find_recall_drops([earlier.get(name, labels[name]) for name in names], coarse.labels(), champion.labels()),
    )


def damaged(of: World, chance: Generator) -> tuple[Labels, tuple[str, ...]]:
    """Move a share of one class or several into one class or all others, in training, in test, or in both."""
    truth, labels = of.truth, of.truth
    classes = np.unique(truth)
    number = 1 if chance.random() < 0.5 else int(chance.integers(2, 5))
    share, into_all = chance.uniform(0.05, 0.8), chance.random() < 0.5
    where = (of.places(Split.TRAIN), of.places(Split.TEST), np.ones(len(truth), bool))[int(chance.integers(3))]
    chosen = chance.choice(classes, number, replace=False)
    for label in chosen:
        of_class, other_classes = np.flatnonzero((truth == label) & where), classes[classes != label]
        moved = chance.choice(of_class, round(share * len(of_class)), replace=False)
        labels[moved] = chance.choice(other_classes, len(moved)) if into_all else chance.choice(other_classes)
    return labels, tuple(map(str, chosen))


HONEST = ("new photographs", "wrong labels put right", "a class renamed", "two classes merged", "a class split")


def honest(of: World, kind: str, chance: Generator) -> tuple[Labels, Labels]:
    """Draw a run that nobody need look at: the labels of run 1, and those of run 2."""
    before, after = of.truth.astype(object), of.truth.astype(object)
    classes = np.unique(of.truth)
    first, second = map(str, chance.choice(classes, 2, replace=False))
    of_class = np.flatnonzero(of.truth == first)
    if kind == "wrong labels put right":
        places = chance.choice(np.flatnonzero(of.first), int(chance.integers(10, 60)), replace=False)
        before[places] = [chance.choice(classes[classes != of.truth[index]]) for index in places]
    elif kind == "a class renamed":
        after[of_class] = f"{first} by another name"
    elif kind == "two classes merged":
        after[np.isin(of.truth, [first, second])] = second if chance.random() < 0.5 else f"{first} and {second}"
    elif kind == "a class split":
        after[_part(of, of_class, chance)] = f"{first} of another kind"
    return before.astype(str), after.astype(str)


def _part(of: World, part: NDArray[np.int64], chance: Generator) -> NDArray[np.int64]:
    """Take less than half of a class: by chance, or along the direction in which its pictures differ most."""
    share = chance.uniform(0.55, 0.8)
    away = of.reduced[part] - of.reduced[part].mean(axis=0)
    along = away @ np.linalg.svd(away, full_matrices=False)[2][0] if chance.random() < 0.5 else chance.random(len(part))
    return part[along > np.quantile(along, share)]


def print_relabelled(monkeys: Collection, _dogs: Collection) -> None:
    """Print how often damaged runs are promoted, and how often honest ones ask or are refused for their labels."""
    runs = WORLDS * RUNS_EACH
    print(f"{runs} runs of each kind and cut, seeds 0 to {WORLDS - 1}, 95% Wilson intervals\n")
    print("| cut | needs | damaged: promoted | promoted at a cost above 10 points | not promoted: class named |")
    print("|---|---|---|---|---|")
    decays = {cut: decay(world(monkeys, cut, 0)) for cut in CUTS}
    for cut in CUTS:
        counts = sum((damages(monkeys, cut, seed, decays[cut]) for seed in range(WORLDS)), Counter[Tally]())
        _print_damaged(cut, counts)
    print("\n| cut | honest run | asked | promoted by no-harm |\n|---|---|---|---|")
    for cut in CUTS:
        counts = sum((honesties(monkeys, cut, seed, decays[cut]) for seed in range(WORLDS)), Counter[Tally]())
        _print_honest(cut, counts)


def damages(collection: Collection, cut: str, seed: int, l2: float) -> Counter[Tally]:
    """Judge the damaged runs of a world, and count outcomes for each policy."""
    counts: Counter[Tally] = Counter()
    of, chance = world(collection, cut, seed), np.random.default_rng([seed, 1])
    every = np.ones(len(of.truth), bool)
    champion = trained(of, of.truth, of.first, l2)
    before = of.recalls(trained(of, of.truth, every, l2)), of.recalls(champion)
    for _ in range(RUNS_EACH):
        labels, chosen = damaged(of, chance)
        challenger = trained(of, labels, every, l2)
        true = of.recalls(challenger)
        cost = max(recall[label] - true[label] for recall in before for label in true)
        for needs, verdict in judged(of, (challenger, champion), of.truth, labels).items():
            words = verdict.reason.partition("another label than before")[2]
            counts[needs, "promoted"] += int(verdict.promoted)
            counts[needs, "costly"] += verdict.promoted and cost > HARM
            counts[needs, "named"] += not verdict.promoted and any(label in words for label in chosen)
    return counts


def honesties(collection: Collection, cut: str, seed: int, l2: float) -> Counter[Tally]:
    """Judge the honest runs of a world, and count which ask and which are promoted."""
    counts: Counter[Tally] = Counter()
    of, chance = world(collection, cut, seed), np.random.default_rng([seed, 2])
    every = np.ones(len(of.truth), bool)
    for number in range(RUNS_EACH):
        kind = HONEST[number % len(HONEST)]
        before, after = honest(of, kind, chance)
        heads = trained(of, after, every, l2), trained(of, before, of.first, l2)
        verdicts = judged(of, heads, before, after)
        counts[kind, "asked"] += any(rule.outcome == "ask" for rule in verdicts["no-harm"].rules)
        counts[kind, "promoted"] += verdicts["no-harm"].promoted
    return counts


def _print_damaged(cut: str, counts: Counter[Tally]) -> None:
    runs = WORLDS * RUNS_EACH
    for needs in get_args(Policy):
        took = counts[needs, "promoted"]
        costs, names = _share(counts[needs, "costly"], runs), f"{counts[needs, 'named']} of {runs - took}"
        print(f"| {cut} | {needs} | {took} | {costs} | {names} |", flush=True)


def _print_honest(cut: str, counts: Counter[Tally]) -> None:
    per_kind = WORLDS * RUNS_EACH // len(HONEST)
    for kind in HONEST:
        asking, took = counts[kind, "asked"], counts[kind, "promoted"]
        print(f"| {cut} | {kind} | {asking} of {per_kind} | {took} of {per_kind} |", flush=True)
    asking = sum(counts[kind, "asked"] for kind in HONEST)
    runs, took = WORLDS * RUNS_EACH, sum(counts[kind, "promoted"] for kind in HONEST)
    print(f"| {cut} | all | {_share(asking, runs)} | {took} of {runs} |", flush=True)


def _share(hits: int, runs: int) -> str:
    low, high = wilson_interval(np.array([hits]), np.array([runs]))
    return f"{hits / runs:.1%} ({low[0]:.1%} to {high[0]:.1%})"
