"""Evaluation and report in short: what was measured of challenger and champion, and where it can be looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.domain.evaluation.collection_advice import Wanted
from tasks.domain.evaluation.comparison import Comparison
from tasks.domain.evaluation.data_growth import Growth
from tasks.domain.evaluation.label_evidence import LabelEvidence
from tasks.domain.evaluation.metrics import Measured
from tasks.domain.evaluation.misclassifications import NOTHING, Mistakes
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
    test: Measured
    golden: Measured | None = None
    latency: float | None = None
    champion_problem: str = ""
    mistakes: Mistakes = NOTHING
    growth: Growth | None = None
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
        return "; ".join((text, *_compared(self.comparison), *changes))


def _compared(found: Comparison) -> list[str]:
    shared = count(len(found.shared), "class", "classes")
    if found.champion is None or found.challenger is None:
        lines = [f"no test image of the {shared} that the champion shares{' kept its label' * bool(found.moved)}"]
    else:
        lines = [f"on the {shared} that the champion shares {found.challenger:.3f} against {found.champion:.3f}"]
    if found.moved and found.everywhere:
        ours, theirs = found.everywhere
        lines += [f"with {count(found.moved, 'relabelled one')} {ours:.3f} against {theirs:.3f}"]
    lines += [f"new to the champion: {listed(found.only_challenger)}"] if found.only_challenger else []
    lines += [f"known to the champion alone: {listed(found.only_champion)}"] if found.only_champion else []
    return lines


@dataclass(frozen=True, slots=True)
class Explained:
    """The evaluation report in short: mistakes on the test split, what came of them since the champion, its page.

    ``collect`` is what to collect next, ranked.
    """

    mistakes: int
    since: str
    page: str
    collect: tuple[Wanted, ...] = ()

    def __str__(self) -> str:
        """Count the mistakes, and say where they can be looked at."""
        text = f"{count(self.mistakes, 'mistake')}{self.since}"
        return f"{text}: {self.page or 'evaluation/report.html in the MLflow run'}"
