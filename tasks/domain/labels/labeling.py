"""What an image shows: what folders, a manifest and object metadata say, made into one label or a named problem."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache, partial
from typing import NamedTuple

from tasks.domain.images.image_info import ImageInfo

Attributes = tuple[tuple[str, str], ...]

# From this likeness on (difflib's ratio) two spellings are worth a look: poodel and poodle have 0.83.
_ALIKE = 0.8


class LocatedImage(NamedTuple):
    """An object of the source whose bytes are known."""

    key: str
    image: str


class SourceLabel(NamedTuple):
    """What one source of labels says about an object; the label is empty where it says nothing."""

    source: str
    label: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Spelling:
    """Other spellings of a class, and the classes that are left out; both are compared without regard to case."""

    aliases: Mapping[str, str]
    leave_out: Sequence[str]


class LabelledImage(NamedTuple):
    """An image with its label; the key is the first, in sorted order, of those that hold it.

    The origins say which source the label and each attribute come from.
    """

    key: str
    image: str
    label: str
    attributes: Attributes
    origins: Attributes


@dataclass(frozen=True, slots=True)
class Conflict:
    """The same bytes, or the same key, under two labels: every (label, key) that claims them."""

    image: str
    claims: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Labelling:
    """What all the located objects came to, each part sorted; missing are keys that only a manifest knows."""

    labelled: tuple[LabelledImage, ...]
    unlabelled: tuple[LocatedImage, ...]
    conflicts: tuple[Conflict, ...]
    left_out: tuple[LabelledImage, ...] = ()
    missing: tuple[str, ...] = ()


def read_layout(key: str, layout: str) -> SourceLabel:
    """Read label and attributes from a key's folders.

    With the layout ``label/coat``, ``poodle/white/1.jpg`` is a poodle with coat=white, and ``poodle/1.jpg`` is a poodle
    whose coat nobody wrote down.
    """
    return _read_folders(tuple(key.split("/")[:-1]), layout)


@lru_cache
def _read_folders(folders: tuple[str, ...], layout: str) -> SourceLabel:
    attributes = dict(zip(layout.split("/"), folders, strict=False))
    return SourceLabel("folder", attributes.pop("label", ""), tuple(sorted(attributes.items())))


def normalize_name(text: str) -> str:
    """Write a name in one way: composed letters (Unicode NFC, a Mac sends them apart), single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def label_images(
    located: Iterable[LocatedImage],
    source_labels: Mapping[str, Sequence[SourceLabel]],
    spelling: Spelling,
    missing: Iterable[str] = (),
) -> Labelling:
    """Label every image once: copies under one label count as one, copies under two labels are a conflict.

    What is said about a key stands in the order of the sources: the first that has a label decides, and attributes are
    gathered from all of them.
    """
    # Most objects are told the same as their neighbours.
    claims = cache(partial(_claims, _aliases(spelling.aliases)))
    out = {normalize_name(label).casefold() for label in spelling.leave_out}
    first: dict[str, LocatedImage] = {}
    copies: defaultdict[str, list[LabelledImage]] = defaultdict(list)
    for located_image in sorted(located):
        first.setdefault(located_image.image, located_image)
        for claim in claims(tuple(source_labels.get(located_image.key, ()))):
            copies[located_image.image].append(LabelledImage(located_image.key, located_image.image, *claim))
    claimed = sorted(copies.items())
    contradictory = [image for image, rows in claimed if len(rows) > 1 and len({row.label for row in rows}) > 1]
    conflicts = set(contradictory)
    single = [_merge_copies(rows) for image, rows in claimed if image not in conflicts]
    return Labelling(
        labelled=tuple(row for row in single if row.label.casefold() not in out),
        unlabelled=tuple(first[image] for image in sorted(first.keys() - copies.keys())),
        conflicts=tuple(
            Conflict(image, tuple(dict.fromkeys((row.label, row.key) for row in copies[image])))
            for image in contradictory
        ),
        left_out=tuple(row for row in single if row.label.casefold() in out),
        missing=tuple(sorted(set(missing))),
    )


def spelled(labels: Iterable[str], aliases: Mapping[str, str]) -> tuple[str, ...]:
    """Write classes, in their order, as today's aliases do: a model that learned a former name knows the class."""
    labels_by_alias = _aliases(aliases)
    return tuple(labels_by_alias.get(label.casefold(), label) for label in labels)


def suggest_aliases(labels: Iterable[str]) -> tuple[str, ...]:
    """Suggest an alias for each label that occurs once and resembles another, or differs from one only in its looks."""
    counts = Counter(labels)
    hints = []
    for label in sorted(counts):
        candidates = {
            _letters_and_digits(other): other for other in counts if other != label and counts[other] >= counts[label]
        }
        same = candidates.get(_letters_and_digits(label))
        near = (
            get_close_matches(_letters_and_digits(label), candidates, n=1, cutoff=_ALIKE) if counts[label] == 1 else []
        )
        if same and (counts[same], same) > (counts[label], label):
            hints.append(f"{label} and {same} differ only in how they are written: an alias would make them one class")
        elif near and not same:
            other = candidates[near[0]]
            hints.append(f"{label} occurs once and resembles {other}: if it is a slip, add it to labels.aliases")
    return tuple(hints)


def _aliases(aliases: Mapping[str, str]) -> dict[str, str]:
    return {normalize_name(other).casefold(): normalize_name(label) for other, label in aliases.items()}


def _letters_and_digits(label: str) -> str:
    return "".join(letter for letter in label.casefold() if letter.isalnum())


def _claims(
    aliases: Mapping[str, str], source_labels: Sequence[SourceLabel]
) -> list[tuple[str, Attributes, Attributes]]:
    """Give every label of the first source that has one, with attributes and origins."""
    first = next((entry.source for entry in source_labels if normalize_name(entry.label)), "")
    labels = dict.fromkeys(
        normalize_name(entry.label) for entry in source_labels if entry.source == first and normalize_name(entry.label)
    )
    attributes: dict[str, str] = {}
    origins = {"label": first} if first else {}
    for entry in source_labels:
        for name, value in entry.attributes:
            if normalize_name(value) and name not in attributes:
                attributes[name], origins[name] = normalize_name(value), entry.source
    spelled = dict.fromkeys(aliases.get(label.casefold(), label) for label in labels)
    return [(label, tuple(sorted(attributes.items())), tuple(sorted(origins.items()))) for label in spelled]


def _merge_copies(rows: Sequence[LabelledImage]) -> LabelledImage:
    """Make one row of an image's copies: the first key's, with what others say about attributes that it lacks."""
    first = rows[0]
    if len(rows) == 1:
        return first
    return first._replace(
        attributes=_merge_attributes(row.attributes for row in rows),
        origins=_merge_attributes(row.origins for row in rows),
    )


def _merge_attributes(copies: Iterable[Attributes]) -> Attributes:
    merged: dict[str, str] = {}
    for attributes in copies:
        merged = dict(attributes) | merged
    return tuple(sorted(merged.items()))


#: How such an attribute was obtained, beside the sources of labels.
PICTURE = "picture"

# Shares of white: a third and two thirds for what stands in the middle, the rare ends for the whole picture. Of 250
# photographs of dogs 17% had a dark and 3% a light middle, 7% were dark and 1% bright.
_TONES = ((0.34, "dark"), (0.66, "mid"), (1.01, "light"))
_BRIGHTNESS = ((0.28, "dark"), (0.72, "normal"), (1.01, "bright"))
# Pixels of the shorter side; InceptionV3 sees 299.
_RESOLUTIONS = ((299, "low"), (1000, "medium"), (float("inf"), "high"))


def image_attributes(image_info: ImageInfo) -> Attributes:
    """Tell a picture's tone, of what stands in its middle, its brightness and its resolution, in three steps each."""
    return (
        ("brightness", _step(image_info.properties.brightness, _BRIGHTNESS)),
        ("resolution", _step(min(image_info.width, image_info.height), _RESOLUTIONS)),
        ("tone", _step(image_info.properties.tone, _TONES)),
    )


def _step(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    return next(name for limit, name in steps if value < limit)
