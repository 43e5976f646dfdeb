"""The confusion matrix of the evaluation report: whole, or of many classes those that are confused most."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tasks.domain.evaluation.metrics import Figures

#: The most classes of a whole matrix, and how many of more classes are shown.
MATRIX, CORNER = 40, 20
#: With more classes cells are small, columns have numbers on a phone, and the most confused pairs are listed too.
DENSE = 12
# Of the drawing, in pixels: left and top of the cells, the widest, narrowest and highest cell, and the width that all
# cells have where they are not too narrow for their numbers.
_LEFT, _TOP, _DENSE_TOP, _WIDEST, _NARROWEST, _HIGHEST, _REACH = 241, 110, 190, 56, 22, 40, 695


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: the images of a true class with one predicted class, and their share of the row in percent."""

    images: int
    share: int


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """A confusion matrix: rows are true classes, columns predicted ones.

    ``hidden`` is the number of classes that are left out; a last column then counts predictions of them.
    """

    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    hidden: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return (*self.labels, "any other") if self.hidden else self.labels

    @property
    def dense(self) -> bool:
        """Return whether the cells are small."""
        return len(self.labels) > DENSE

    @property
    def left(self) -> int:
        """Return where the drawing's first column begins, in pixels."""
        return _LEFT

    @property
    def top(self) -> int:
        """Return where the drawing's first row begins, in pixels."""
        return _DENSE_TOP if self.dense else _TOP

    @property
    def wide(self) -> float:
        """Return the width of the drawing's cells, in pixels."""
        return round(min(_WIDEST, max(_NARROWEST, _REACH / max(len(self.columns), 1))), 2)

    @property
    def high(self) -> float:
        """Return the height of the drawing's cells, in pixels."""
        return round(min(_HIGHEST, self.wide), 2)

    @property
    def right(self) -> int:
        """Return where the drawing's last column ends, in pixels."""
        return round(self.left + self.wide * len(self.columns))

    @property
    def bottom(self) -> int:
        """Return the height of the drawing, in pixels."""
        return round(self.top + self.high * len(self.rows) + 20)


def build_confusion_matrix(figures: Figures) -> ConfusionMatrix:
    """Build the confusion matrix of a model's predictions."""
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
    """Return the classes of the most confused pairs; the classes of a pair are side by side."""
    labels: dict[str, None] = {}
    for pair in figures.confused:
        labels |= dict.fromkeys((pair.truth, pair.guess))
        if len(labels) >= CORNER:
            break
    return list(labels)[:CORNER]
