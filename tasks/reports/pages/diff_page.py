"""The diff of two dataset versions as a web page, with pictures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.version_diff import VersionDiff
from tasks.domain.evaluation.misclassifications import PredictionFlip, PredictionFlips
from tasks.domain.labels.attributes import Attributes
from tasks.reports.pages.template import render

#: The most pictures of a part.
MOST = 200


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the page: its kind of change, a note, and its thumbnail where there is one."""

    image: str
    key: str
    kind: str
    note: str
    thumbnail: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the page: how many images it has, how many of each kind, and those that are shown."""

    title: str
    anchor: str
    total: int
    kinds: tuple[tuple[str, int], ...]
    pictures: tuple[Picture, ...]

    @property
    def hidden(self) -> int:
        """Return the number of images that are not shown."""
        return self.total - len(self.pictures)


def list_pictured_images(difference: VersionDiff, flips: PredictionFlips | None = None) -> list[str]:
    """List the hashes of the images that the page shows, each once, sorted.

    Args:
        difference: What differs between the two versions.
        flips: Test images that the two models predict differently; None where versions alone are compared.

    Returns:
        The hashes.
    """
    return sorted({picture.image for part in _parts(difference, {}, flips) for picture in part.pictures})


def render_version_diff(
    before: str,
    after: str,
    difference: VersionDiff,
    thumbnails: Mapping[str, str | None],
    flips: PredictionFlips | None = None,
    names: tuple[str, str] = ("", ""),
) -> str:
    """Render the diff page of two dataset versions.

    Args:
        before: The hash of the first version.
        after: The hash of the second version.
        difference: What differs between them.
        thumbnails: ``data:`` addresses by image hash; None for an image that is not stored any more.
        flips: Test images that the two models predict differently; the page begins with them.
        names: How people call the two versions or models; by their hashes where a name is empty.

    Returns:
        The page as HTML.
    """
    test_images = flips.images if flips else None
    titles = [name or f"dataset {version[:12]}" for name, version in zip(names, (before, after), strict=True)]
    return render(
        "diff.html.j2",
        names=titles,
        before=before,
        after=after,
        parts=_parts(difference, thumbnails, flips),
        test_images=test_images,
    )


def _parts(difference: VersionDiff, thumbnails: Mapping[str, str | None], flips: PredictionFlips | None) -> list[Part]:
    flipped = (
        {
            "Test images now right": [_flip_picture(flip) for flip in flips.select("now right")],
            "Test images now wrong": [_flip_picture(flip) for flip in flips.select("now wrong")],
            "Test images wrong in another way": [_flip_picture(flip) for flip in flips.select("wrong in another way")],
        }
        if flips
        else {}
    )
    pictures_by_title = flipped | {
        "Added": [_row_picture(row, row.label, row.split) for row in difference.added],
        "Removed": [_row_picture(row, row.label, row.split) for row in difference.removed],
        "Relabelled": [
            _row_picture(pair.after, f"{pair.before.label} → {pair.after.label}", pair.after.split)
            for pair in difference.relabelled
        ],
        "In another split": [
            _row_picture(pair.after, f"{pair.before.split} → {pair.after.split}", pair.after.label)
            for pair in difference.resplit
        ],
        "With other attributes": [
            _row_picture(
                pair.after, f"{_words(pair.before.attributes)} → {_words(pair.after.attributes)}", pair.after.label
            )
            for pair in difference.redescribed
        ],
    }
    return [_part(title, pictures, thumbnails) for title, pictures in pictures_by_title.items()]


def _part(title: str, pictures: Sequence[Picture], thumbnails: Mapping[str, str | None]) -> Part:
    ordered = sorted(pictures, key=lambda picture: (picture.kind, picture.key))
    return Part(
        title=title,
        anchor=title.lower().replace(" ", "-"),
        total=len(ordered),
        kinds=tuple(sorted(Counter(picture.kind for picture in ordered).items())),
        pictures=tuple(replace(picture, thumbnail=thumbnails.get(picture.image)) for picture in ordered[:MOST]),
    )


def _row_picture(row: Row, kind: str, note: str) -> Picture:
    return Picture(row.image, row.key, kind, note)


def _flip_picture(flip: PredictionFlip) -> Picture:
    note = f"is {flip.truth}; sure {flip.sure_before:.2f} → {flip.sure_after:.2f}"
    return Picture(flip.image, flip.key, f"{flip.before} → {flip.after}", note)


def _words(attributes: Attributes) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(attributes)) or "none"
