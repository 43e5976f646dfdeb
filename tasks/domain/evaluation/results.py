"""Evaluation and report in short: what was measured of challenger and champion, and where it can be looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.domain.evaluation.collection_advice import CollectionAdvice
from tasks.domain.evaluation.comparison import Comparison
from tasks.domain.evaluation.data_growth import DataGrowth
from tasks.domain.evaluation.label_evidence import LabelEvidence
from tasks.domain.evaluation.metrics import Measurement
from tasks.domain.evaluation.misclassifications import NO_MISCLASSIFICATIONS, Misclassifications
from tasks.domain.phrasing import count, listed


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Challenger and champion on the same images: the test split's, and those of a golden set where there is one.

    ``champion`` is the number of the decision that made it; ``champion_problem`` says why it could not be measured, and
    then nothing is compared. ``latency`` is that of one image on this machine in milliseconds, None if not measured.
    ``growth`` says what the challenger learned from beyond the champion; None where that cannot be known.
    ``labels`` is what became of the labels under which the champion was judged.
    """

    images: int
    metrics: Mapping[str, float]
    champion: int | None
    test: Measurement
    golden: Measurement | None = None
    latency: float | None = None
    champion_problem: str = ""
    mistakes: Misclassifications = NO_MISCLASSIFICATIONS
    growth: DataGrowth | None = None
    labels: LabelEvidence | None = None

    @property
    def comparison(self) -> Comparison | None:
        """What is compared on the test split; None where there is no champion, or none that can be measured."""
        return self.test.comparison

    def __str__(self) -> str:
        """Give the accuracies with the number of images behind them, and name the classes that only one model knows."""
        text = f"accuracy {self.metrics['accuracy']:.3f} on {count(self.images, 'test image')}"
        if self.test.worst:
            text += f", worst slice {self.test.worst.name} {self.test.worst.recall:.3f}"
        if self.champion_problem:
            return f"{text}; the champion cannot be measured: {self.champion_problem}"
        if self.comparison is None:
            return f"{text}, no champion yet"
        changes = self.labels.relabelling.sentences() if self.labels else ()
        return "; ".join((text, *_describe_comparison(self.comparison), *changes))


def _describe_comparison(comparison: Comparison) -> list[str]:
    shared = count(len(comparison.shared), "class", "classes")
    if comparison.champion is None or comparison.challenger is None:
        lines = [f"no test image of the {shared} that the champion shares{' kept its label' * bool(comparison.moved)}"]
    else:
        lines = [
            f"on the {shared} that the champion shares {comparison.challenger:.3f} against {comparison.champion:.3f}"
        ]
    if comparison.moved and comparison.everywhere:
        challenger, champion = comparison.everywhere
        lines += [f"with {count(comparison.moved, 'relabelled one')} {challenger:.3f} against {champion:.3f}"]
    lines += [f"new to the champion: {listed(comparison.only_challenger)}"] if comparison.only_challenger else []
    lines += [f"known to the champion alone: {listed(comparison.only_champion)}"] if comparison.only_champion else []
    return lines


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """The evaluation report in short: mistakes on the test split, what came of them since the champion, its page.

    ``collect`` is what to collect next, ranked.
    """

    mistakes: int
    since: str
    page: str
    collect: tuple[CollectionAdvice, ...] = ()

    def __str__(self) -> str:
        """Count the mistakes, and say where they can be looked at."""
        text = f"{count(self.mistakes, 'mistake')}{self.since}"
        return f"{text}: {self.page or 'evaluation/report.html in the MLflow run'}"
