"""The page that shows what differs between two dataset versions, with small pictures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.version_diff import Difference
from tasks.domain.evaluation.misclassifications import Flip, Flips
from tasks.domain.labels.labeling import Attributes
from tasks.reports.pages.template import render

#: So many pictures of each part are shown.
MOST = 200


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the page: what happened to it, what else is known of it, and its thumbnail where there is one."""

    image: str
    key: str
    kind: str
    note: str
    thumbnail: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of change: how many images, how many of each kind, and those that are shown."""

    title: str
    anchor: str
    total: int
    kinds: tuple[tuple[str, int], ...]
    pictures: tuple[Picture, ...]

    @property
    def hidden(self) -> int:
        """Count the images that are not shown."""
        return self.total - len(self.pictures)


def pictured(found: Difference, flips: Flips | None = None) -> list[str]:
    """Name the images that the page shows, each once, sorted."""
    return sorted({picture.image for part in _parts(found, {}, flips) for picture in part.pictures})


def diff_page(
    before: str, after: str, found: Difference, thumbnails: Mapping[str, str | None], flips: Flips | None = None
) -> str:
    """Write the page about the versions of these hashes; thumbnails are ``data:`` addresses by image.

    With flips it begins with the answers of the two models trained on them.
    """
    asked = flips.images if flips else None
    return render("diff.html.j2", before=before, after=after, parts=_parts(found, thumbnails, flips), asked=asked)


def _parts(found: Difference, thumbnails: Mapping[str, str | None], flips: Flips | None) -> list[Part]:
    answers = (
        {
            "Test images now right": [_flipped(one) for one in flips.of("now right")],
            "Test images now wrong": [_flipped(one) for one in flips.of("now wrong")],
            "Test images wrong in another way": [_flipped(one) for one in flips.of("wrong in another way")],
        }
        if flips
        else {}
    )
    changed = answers | {
        "Added": [_picture(row, row.label, row.split) for row in found.added],
        "Removed": [_picture(row, row.label, row.split) for row in found.removed],
        "Relabelled": [
            _picture(pair.after, f"{pair.before.label} → {pair.after.label}", pair.after.split)
            for pair in found.relabelled
        ],
        "In another split": [
            _picture(pair.after, f"{pair.before.split} → {pair.after.split}", pair.after.label)
            for pair in found.resplit
        ],
        "With other attributes": [
            _picture(
                pair.after, f"{_words(pair.before.attributes)} → {_words(pair.after.attributes)}", pair.after.label
            )
            for pair in found.redescribed
        ],
    }
    return [_part(title, pictures, thumbnails) for title, pictures in changed.items()]


def _part(title: str, pictures: Sequence[Picture], thumbnails: Mapping[str, str | None]) -> Part:
    ordered = sorted(pictures, key=lambda one: (one.kind, one.key))
    return Part(
        title=title,
        anchor=title.lower().replace(" ", "-"),
        total=len(ordered),
        kinds=tuple(sorted(Counter(one.kind for one in ordered).items())),
        pictures=tuple(replace(one, thumbnail=thumbnails.get(one.image)) for one in ordered[:MOST]),
    )


def _picture(row: Row, kind: str, note: str) -> Picture:
    return Picture(row.image, row.key, kind, note)


def _flipped(one: Flip) -> Picture:
    note = f"is {one.truth}; sure {one.sure_before:.2f} → {one.sure_after:.2f}"
    return Picture(one.image, one.key, f"{one.before} → {one.after}", note)


def _words(attributes: Attributes) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(attributes)) or "none"
