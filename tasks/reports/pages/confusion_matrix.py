"""The confusion matrix as the report draws it: whole, or of many classes the corner where most is confused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tasks.domain.evaluation.metrics import Figures

#: Up to so many classes the whole matrix is shown, beyond that the corner of the classes that are confused most.
MATRIX, CORNER = 40, 20
#: Beyond so many classes cells are small, columns bear numbers on a telephone, and the worst pairs are listed too.
DENSE = 12
# A picture's first cell, its widest and highest cell, and how far the cells may reach.
_LEFT, _TOP, _DENSE_TOP, _WIDEST, _HIGHEST, _REACH = 241, 110, 190, 56, 40, 695


@dataclass(frozen=True, slots=True)
class Cell:
    """So many images of a row's class with one answer, and their percentage of the row."""

    images: int
    share: int


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Rows of true classes, columns of answers.

    ``hidden`` classes are not in it, since too many are there; a last column then counts the answers outside.
    """

    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    hidden: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Name the columns."""
        return (*self.labels, "any other") if self.hidden else self.labels

    @property
    def dense(self) -> bool:
        """Tell whether the cells are small."""
        return len(self.labels) > DENSE

    @property
    def left(self) -> int:
        """Return where a picture's first column begins."""
        return _LEFT

    @property
    def top(self) -> int:
        """Return where a picture's first row begins."""
        return _DENSE_TOP if self.dense else _TOP

    @property
    def wide(self) -> float:
        """Return the width of a picture's cells."""
        return round(min(_WIDEST, _REACH / max(len(self.columns), 1)), 2)

    @property
    def high(self) -> float:
        """Return the height of a picture's cells."""
        return round(min(_HIGHEST, 1.2 * self.wide), 2)

    @property
    def bottom(self) -> int:
        """Return how high the picture is."""
        return round(self.top + self.high * len(self.rows) + 20)


def build_confusion_matrix(figures: Figures) -> ConfusionMatrix:
    """Lay out images by true and guessed class with their percentage of the true one."""
    all_labels = [entry.label for entry in figures.classes]
    labels = all_labels if len(all_labels) <= MATRIX else _corner(figures)
    counts = {(entry.truth, entry.guess): entry.images for entry in figures.confused}
    counts |= {(entry.label, entry.label): round((entry.recall or 0.0) * entry.images) for entry in figures.classes}
    images = {entry.label: entry.images for entry in figures.classes}
    hidden = len(all_labels) - len(labels)
    rows = []
    for truth in labels:
        numbers = [counts.get((truth, guess), 0) for guess in labels]
        numbers += [images[truth] - sum(numbers)] if hidden else []
        rows.append((truth, tuple(_cells(numbers, images[truth]))))
    return ConfusionMatrix(tuple(labels), tuple(rows), hidden)


def _cells(numbers: Sequence[int], images: int) -> Iterable[Cell]:
    return (Cell(number, round(100 * number / max(images, 1))) for number in numbers)


def _corner(figures: Figures) -> list[str]:
    """Choose the classes of the pairs that are confused most, so that who is taken for whom stands side by side."""
    labels: dict[str, None] = {}
    for pair in figures.confused:
        labels |= dict.fromkeys((pair.truth, pair.guess))
        if len(labels) >= CORNER:
            break
    return list(labels)[:CORNER]
