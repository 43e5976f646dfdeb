"""A year of runs under several policies of the gate: who serves, how good, and how long a better model waits."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from configs.sections import Gate
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.version_diff import DatasetDrift
from tasks.domain.evaluation.comparison import Comparison, EvaluationSet
from tasks.domain.evaluation.data_growth import (
    DataGrowth,
    SettingsRelation,
    VersionFeatures,
    compare_training_data,
    cross_validate,
)
from tasks.domain.evaluation.metrics import Measurement, measure_models
from tasks.domain.evaluation.paired_tests import PairedDifference
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.gate.gate import GateInputs, apply_gate_rules
from tests.benchmarks.photographs.collection import Collection
from tests.benchmarks.photographs.world import RUNS, SCENARIOS, TRIALS, Year, worlds

SEEDS = 2
# So far is a model truly better or worse that it counts.
POINT = 0.01
# Rules with a number would refuse whatever learns little: here it is about those that compare.
RULES = tuple(rule for rule in Gate().rules if "not worse" in rule)
# Bets of the e-values: how much more often than not a new test image speaks for the challenger.
BETS = np.array([0.2, 0.4, 0.7])
TABLES = (
    "True accuracy over the year, and how many points that is behind the best choice",
    "Share of the runs in which a model serves that is a point worse than a former champion",
    "Share of the runs in which this run's challenger is a point better than what serves, and the longest such wait",
    "Promotions in the year",
)


@dataclass
class Runs:
    """A year, what the product's functions say of its runs, and what a policy remembers."""

    year: Year
    memory: dict[object, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Ask about each pair of challenger and champion once, whichever policies want to know."""
        self.measured = cache(self._measured)
        self.growth = cache(self._growth)
        self.promoted = cache(self._promoted)

    def _measured(self, run: int, champion: int) -> Measurement:
        year = self.year
        images = year.arrived(run)[year.tested[year.arrived(run)]]
        groups = [year.world.groups[image] for image in images]
        evaluation_set = EvaluationSet([_name(label) for label in year.labels[images]], groups, [()] * len(images))
        challenger_predictions, champion_predictions = (
            Predictions(self._classes, year.answers[model][images]) for model in (run, champion)
        )
        return measure_models(challenger_predictions, champion_predictions, evaluation_set, Gate().minimum_support)

    @property
    def _classes(self) -> tuple[str, ...]:
        return tuple(_name(number) for number in range(int(self.year.world.classes.max()) + 1))

    def _growth(self, run: int, champion: int) -> DataGrowth:
        year = self.year
        recipes = year.recipe(run), year.recipe(champion)
        growth = compare_training_data(self._rows(run), self._rows(champion), _likeness(*recipes))
        current, former = self._labelled(run), self._labelled(champion)
        return replace(growth, cross_validated=cross_validate(current, former))

    def _rows(self, run: int) -> list[Row]:
        year = self.year
        return [
            Row(str(image), _name(year.labels[image]), year.split(image), (), str(image))
            for image in year.arrived(run).tolist()
        ]

    def _labelled(self, run: int) -> VersionFeatures:
        rows, images = self._rows(run), self.year.arrived(run)
        features = self.year.reduced[self.year.backbone(run)][images]
        groups = [self.year.world.groups[image] for image in images]
        return VersionFeatures([row.image for row in rows], features, [row.label for row in rows], groups)

    def _promoted(self, run: int, champion: int, needs: str) -> bool:
        gate = Gate.model_validate({"rules": RULES, "needs": needs, "serve_check": False})
        more = self.growth(run, champion) if needs == "likely-improvement" else None
        return apply_gate_rules(
            GateInputs(self.measured(run, champion), None, DatasetDrift({}, (), 0.0, None, ""), None, more), gate
        ).promoted


def _likeness(challenger: int, champion: int) -> SettingsRelation:
    if challenger == champion:
        return "same"
    return "other" if max(challenger, champion) >= TRIALS else "another backbone"


def _name(number: int) -> str:
    return f"class {number:02}"


Policy = Callable[[Runs, int, int], bool]


def _by(needs: str, runs: Runs, run: int, champion: int) -> bool:
    return runs.promoted(run, champion, needs)


def _more(share: float, runs: Runs, run: int, champion: int) -> bool:
    """Promote without harm whatever learned from more by the same recipe."""
    if runs.promoted(run, champion, "improvement"):
        return True
    growth = runs.growth(run, champion)
    return growth.recipe == "same" and growth.share >= share and runs.promoted(run, champion, "no-harm")


def _spending(runs: Runs, run: int, champion: int) -> bool:
    """Spend the error rate over the runs that a champion serves, 6 / (pi k)^2 of it on the k-th."""
    looks = runs.memory.get(("looks", champion), np.zeros(1)) + 1
    runs.memory["looks", champion] = looks
    accuracy = _accuracy(runs, run, champion)
    rate = Gate().error_rate * 6 / np.pi**2 / looks[0] ** 2
    return accuracy.drop < 0 and accuracy.better <= rate and runs.promoted(run, champion, "no-harm")


def _e_values(runs: Runs, run: int, champion: int) -> bool:
    """Let test images bet once, when they are new: wealth of 1 / error rate is evidence, whenever it is reached."""
    year = runs.year
    start = int(runs.memory.get(("seen", champion), np.array([year.ends[champion]]))[0])
    new = year.order[start : year.ends[run]]
    new = new[year.tested[new]]
    challenger_right, champion_right = (
        year.answers[model][new].argmax(axis=1) == year.labels[new] for model in (run, champion)
    )
    wins, losses = int((challenger_right & ~champion_right).sum()), int((champion_right & ~challenger_right).sum())
    wealth = runs.memory.get(("wealth", champion), np.ones(len(BETS))) * (1 + BETS) ** wins * (1 - BETS) ** losses
    runs.memory["wealth", champion], runs.memory["seen", champion] = wealth, np.array([float(year.ends[run])])
    return bool(wealth.mean() >= 1 / Gate().error_rate) and runs.promoted(run, champion, "no-harm")


def _shown_by_cross_validation(runs: Runs, run: int, champion: int) -> bool:
    """Promote without harm where cross-validation of data and features shows an improvement."""
    if runs.promoted(run, champion, "improvement"):
        return True
    validated = runs.growth(run, champion).cross_validated
    accuracy = _first(validated.comparison if validated else None)
    return accuracy.drop < 0 and accuracy.better <= Gate().error_rate and runs.promoted(run, champion, "no-harm")


def _accuracy(runs: Runs, run: int, champion: int) -> PairedDifference:
    return _first(runs.measured(run, champion).comparison)


def _first(comparison: Comparison | None) -> PairedDifference:
    """Take what is compared first: accuracy."""
    if comparison is None:
        raise TypeError("A year's runs always share images and classes.")
    return comparison.paired[0]


POLICIES: dict[str, Policy] = {
    "`improvement`": partial(_by, "improvement"),
    "`no-harm`": partial(_by, "no-harm"),
    "no harm, 5% more data, same recipe": partial(_more, 0.05),
    "no harm, 10% more data, same recipe": partial(_more, 0.1),
    "error spent over the runs": _spending,
    "e-values of new test images": _e_values,
    "shown by cross-validation": _shown_by_cross_validation,
    "`likely-improvement`": partial(_by, "likely-improvement"),
}


def lived(runs: Runs, policy: Policy) -> tuple[float, ...]:
    """Live through a year: accuracy, points behind, shares of runs worse and waiting, longest wait, promotions."""
    true, champion, best, oracle = runs.year.true, 0, 0.0, 0.0
    serving, choice, waits, worse, promotions = [], [], [0], 0, 0
    for run in range(RUNS):
        if run and policy(runs, run, champion):
            champion, promotions = run, promotions + 1
        best, oracle = max(best, true[champion]), max(oracle, true[run])
        serving.append(true[champion])
        choice.append(oracle)
        worse += true[champion] < best - POINT
        waits.append(waits[-1] + 1 if true[run] >= true[champion] + POINT else 0)
    waiting = sum(wait > 0 for wait in waits)
    behind = 100 * float(np.mean(choice) - np.mean(serving))
    return float(np.mean(serving)), behind, worse / RUNS, waiting / RUNS, float(max(waits)), float(promotions)


def print_year(monkeys: Collection, dogs: Collection) -> None:
    """Print a row a policy and a column a scenario: means over worlds and seeds, with an interval of the points."""
    cells: dict[str, list[tuple[str, ...]]] = {policy: [] for policy in POLICIES}
    for scenario in SCENARIOS:
        years = [
            Runs(Year(make(chance), scenario, chance))
            for number, make in enumerate(worlds(monkeys, dogs))
            for seed in range(SEEDS)
            for chance in [np.random.default_rng([seed, number, *scenario.encode()])]
        ]
        for policy, promotes in POLICIES.items():
            cells[policy].append(_cells(np.array([lived(year, promotes) for year in years])))
    print(f"{RUNS} runs; {SEEDS} seeds in each of four worlds: monkeys mixed10 and mixed9, dogs mixed9, drawn\n")
    for name, words in SCENARIOS.items():
        print(f"- *{name}*: {words}")
    for number, title in enumerate(TABLES):
        print(f"\n{title}:\n\n| policy | {' | '.join(SCENARIOS)} |\n|{'---|' * (1 + len(SCENARIOS))}")
        for policy, values in cells.items():
            print(f"| {policy} | {' | '.join(year[number] for year in values)} |")


def _cells(values: NDArray[np.float64]) -> tuple[str, ...]:
    mean, wide = values.mean(axis=0), 1.96 * values[:, 1].std(ddof=1) / np.sqrt(len(values))
    waits = f"{mean[3]:.0%}, {mean[4]:.0f}"
    return f"{mean[0]:.3f}, {mean[1]:.1f} ± {wide:.1f}", f"{mean[2]:.0%}", waits, f"{mean[5]:.1f}"
