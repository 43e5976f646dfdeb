"""Of which photographs more are wanted: what they would bring, what the model is bad at, and what nobody can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.domain.datasets.attribute_balance import NarrowRange
from tasks.domain.evaluation.comparison import Comparison
from tasks.domain.evaluation.data_growth import DataGrowth
from tasks.domain.evaluation.label_evidence import LabelEvidence
from tasks.domain.evaluation.learning_curves import MORE, LearningCurve
from tasks.domain.evaluation.metrics import Figures, Measurement
from tasks.domain.evaluation.misclassifications import NO_MISCLASSIFICATIONS, Misclassifications
from tasks.domain.evaluation.slices import Slice, exclude_whole_slices
from tasks.domain.phrasing import count, list_names

# Below half a point nobody would go out for photographs.
_WORTH = 0.005


@dataclass(frozen=True, slots=True)
class CollectionAdvice:
    """A class or slice, why more photographs of it are wanted, and what 50 of them would likely add to its recall.

    The gain is a share with its 95% interval; None where only the data card or the test split speaks.
    """

    of: str
    why: str
    gain: float | None = None
    low: float | None = None
    high: float | None = None


def advise_collection(
    figures: Figures,
    slices: Sequence[Slice],
    minimum: int,
    curves: Sequence[LearningCurve] = (),
    narrow: Sequence[NarrowRange] = (),
) -> tuple[CollectionAdvice, ...]:
    """Rank what to collect: first classes that 50 more images would likely help, by how much.

    Then classes whose images cover little of what the others cover, the narrowest first. Then what is certainly
    recognised less often than all images, the worst first; certainly means that the whole interval is below the
    accuracy. Then follow classes with fewer test images than the minimum, and slices of the others, the fewest first:
    of these nothing is known.
    """
    accuracy = figures.overall["accuracy"]
    helped = sorted(
        (curve for curve in curves if (curve.gain or 0) >= _WORTH), key=lambda curve: (-(curve.gain or 0), curve.label)
    )
    named = {curve.label for curve in helped}
    unknown = {class_figures.label for class_figures in figures.classes if class_figures.images < minimum}
    classes = [
        (class_figures.label, class_figures.images, class_figures.recall or 0.0, class_figures.high)
        for class_figures in figures.classes
        if class_figures.label not in named | unknown
    ]
    parts = [data_slice for data_slice in exclude_whole_slices(slices) if data_slice.label not in unknown]
    every = [
        *classes,
        *((data_slice.name, data_slice.images, data_slice.recall, data_slice.high) for data_slice in parts),
    ]
    weak = sorted((recall, of, images) for of, images, recall, high in every if images >= minimum and high < accuracy)
    few = [
        *sorted(
            (class_figures.images, class_figures.label)
            for class_figures in figures.classes
            if class_figures.label in unknown
        ),
        *sorted((data_slice.images, data_slice.name) for data_slice in parts if data_slice.images < minimum),
    ]
    return (
        *(CollectionAdvice(curve.label, _expected_gain(curve), curve.gain, curve.low, curve.high) for curve in helped),
        *(
            CollectionAdvice(narrow_class.label, f"{narrow_class.unseen} photographs, since {narrow_class.why}")
            for narrow_class in narrow
        ),
        *(
            CollectionAdvice(of, f"{recall:.1%} of {images:,} test images are recognised, {accuracy:.1%} of all")
            for recall, of, images in weak
        ),
        *(
            CollectionAdvice(of, f"{count(images, 'test image')}: {minimum - images:,} more, and it is known")
            for images, of in few
        ),
    )


def _expected_gain(curve: LearningCurve) -> str:
    perhaps = ", perhaps nothing" if curve.low < _WORTH else ""
    return (
        f"{MORE} more images would likely add {100 * (curve.gain or 0):.1f} points of recall "
        f"({100 * curve.low:.1f} to {100 * curve.high:.1f}{perhaps}) to the {curve.images:,} that it learns from"
    )


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
    lines += [f"new to the champion: {list_names(comparison.only_challenger)}"] if comparison.only_challenger else []
    lines += (
        [f"known to the champion alone: {list_names(comparison.only_champion)}"] if comparison.only_champion else []
    )
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
