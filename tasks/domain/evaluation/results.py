"""Results of the evaluation step: both models' measurements, advice on what to collect, and the report's summary."""

from collections.abc import Iterator, Mapping, Sequence
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

# A smaller gain in recall is not worth collecting photographs for.
_WORTH = 0.005


@dataclass(frozen=True, slots=True)
class CollectionAdvice:
    """A class or slice of which more photographs are wanted.

    Attributes:
        of: The class or slice.
        why: The reason, in words.
        gain: The likely gain in recall from 50 more photographs, between 0 and 1; None where no learning curve tells.
        low: The lower end of the gain's 95% interval.
        high: Its upper end.
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
    """Rank what to collect next.

    First come classes that 50 more images would likely help, by the gain; then classes whose images cover little of the
    range that the others cover; then classes and slices that are certainly recognised less often than all images (their
    whole interval lies below the accuracy), the worst first; last those of which nothing is known, the fewest images
    first.

    Args:
        figures: The challenger's metrics on the test split.
        slices: Its recall on each slice.
        minimum: Classes and slices with fewer test images count as unknown.
        curves: The learning curve of each class.
        narrow: The classes with a narrow range of an image property, the narrowest first.

    Returns:
        The advice, the most useful first.
    """
    helped = sorted(
        (curve for curve in curves if (curve.gain or 0) >= _WORTH), key=lambda curve: (-(curve.gain or 0), curve.label)
    )
    unknown = {class_figures.label for class_figures in figures.classes if class_figures.images < minimum}
    known_slices = [data_slice for data_slice in exclude_whole_slices(slices) if data_slice.label not in unknown]
    return (
        *(CollectionAdvice(curve.label, _expected_gain(curve), curve.gain, curve.low, curve.high) for curve in helped),
        *(CollectionAdvice(entry.label, f"{entry.unseen} photographs, since {entry.why}") for entry in narrow),
        *_advise_on_weak(figures, known_slices, minimum, unknown | {curve.label for curve in helped}),
        *_advise_on_unknown(figures, known_slices, minimum),
    )


def _advise_on_weak(
    figures: Figures, slices: Sequence[Slice], minimum: int, excluded: set[str]
) -> Iterator[CollectionAdvice]:
    """Yield advice on what is certainly recognised less often than all images, the worst first.

    Args:
        figures: The figures of the test split.
        slices: Slices of known classes.
        minimum: The fewest images of which something is known.
        excluded: Classes about which nothing is to be said.

    Yields:
        Classes and slices whose whole interval lies below the accuracy.
    """
    accuracy = figures.overall["accuracy"]
    classes = [
        (class_figures.label, class_figures.images, class_figures.recall or 0.0, class_figures.high)
        for class_figures in figures.classes
        if class_figures.label not in excluded
    ]
    parts = [(data_slice.name, data_slice.images, data_slice.recall, data_slice.high) for data_slice in slices]
    weak = sorted(
        (recall, name, images)
        for name, images, recall, high in [*classes, *parts]
        if images >= minimum and high < accuracy
    )
    for recall, name, images in weak:
        yield CollectionAdvice(name, f"{recall:.1%} of {images:,} test images are recognised, {accuracy:.1%} of all")


def _advise_on_unknown(figures: Figures, slices: Sequence[Slice], minimum: int) -> Iterator[CollectionAdvice]:
    """Yield advice on classes, then slices, with too few test images to know anything, the fewest first.

    Yields:
        How many more images would do.
    """
    classes = sorted(
        (class_figures.images, class_figures.label)
        for class_figures in figures.classes
        if class_figures.images < minimum
    )
    parts = sorted((data_slice.images, data_slice.name) for data_slice in slices if data_slice.images < minimum)
    for images, name in (*classes, *parts):
        yield CollectionAdvice(name, f"{count(images, 'test image')}: {minimum - images:,} more, and it is known")


def _expected_gain(curve: LearningCurve) -> str:
    perhaps = ", perhaps nothing" if curve.low < _WORTH else ""
    return (
        f"{MORE} more images would likely add {100 * (curve.gain or 0):.1f} points of recall "
        f"({100 * curve.low:.1f} to {100 * curve.high:.1f}{perhaps}) to the {curve.images:,} that it learns from"
    )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Challenger and champion on the same images: the test split and, where there is one, the golden set.

    Attributes:
        images: The number of test images.
        metrics: The challenger's metrics on the test split, and those of its calibration.
        champion: The number of the decision that promoted the champion; None without a champion.
        test: Both models on the test split.
        golden: Both models on the golden set; None where there is none.
        latency: Milliseconds for one image on this machine; None where it was not measured.
        champion_problem: Why the champion could not be measured; then nothing is compared.
        mistakes: The misclassified test images.
        growth: How the training data grew since the champion; None where that cannot be known.
        labels: How labels changed since the champion was evaluated; None where that cannot be known.
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
        """Return the comparison on the test split; None where no champion can be measured."""
        return self.test.comparison

    def __str__(self) -> str:
        """Describe the accuracies, the number of images behind them, and the classes that only one model knows."""
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
    """The evaluation report in short.

    Attributes:
        mistakes: The number of mistakes on the test split.
        since: In words, how many of them are new or fixed since the champion.
        page: The address of the report; empty where MLflow shows no pages.
        collect: What to collect next, the most useful first.
    """

    mistakes: int
    since: str
    page: str
    collect: tuple[CollectionAdvice, ...] = ()

    def __str__(self) -> str:
        """Describe how many mistakes there are and where to look at them."""
        text = f"{count(self.mistakes, 'mistake')}{self.since}"
        return f"{text}: {self.page or 'evaluation/report.html in the MLflow run'}"
