"""What an image shows, read from the folders that people put it into."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

Attributes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Located:
    """An object of the source whose bytes are known."""

    key: str
    image: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """An image with its label; the key is the first, in sorted order, of those that hold it."""

    key: str
    image: str
    label: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Conflict:
    """The same bytes under two labels: every (label, key) that claims them."""

    image: str
    claims: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Labelling:
    """What all the located objects came to, each part sorted."""

    labelled: tuple[Labelled, ...]
    unlabelled: tuple[Located, ...]
    conflicts: tuple[Conflict, ...]


def read_layout(key: str, layout: str) -> tuple[str, Attributes] | None:
    """Read label and attributes from a key's folders; None where there is no folder for the label.

    With the layout ``label/coat``, ``poodle/white/1.jpg`` is a poodle with coat=white, and ``poodle/1.jpg`` is a poodle
    whose coat nobody wrote down.
    """
    found = dict(zip(layout.split("/"), key.split("/")[:-1], strict=False))
    label = found.pop("label", "")
    return (label, tuple(sorted(found.items()))) if label else None


def label_images(located: Iterable[Located], layout: str) -> Labelling:
    """Label every image once: copies under one label count as one, copies under two labels are a conflict."""
    claims: defaultdict[str, list[Labelled]] = defaultdict(list)
    unlabelled = []
    for one in sorted(located, key=lambda one: one.key):
        found = read_layout(one.key, layout)
        if found is None:
            unlabelled.append(one)
        else:
            claims[one.image].append(Labelled(one.key, one.image, *found))
    conflicts = {image for image, rows in claims.items() if len({row.label for row in rows}) > 1}
    return Labelling(
        labelled=tuple(claims[image][0] for image in sorted(claims.keys() - conflicts)),
        unlabelled=tuple(unlabelled),
        conflicts=tuple(
            Conflict(image, tuple((row.label, row.key) for row in claims[image])) for image in sorted(conflicts)
        ),
    )
