"""Labeling: what folders, manifest and object metadata say of an image becomes one label, or a conflict.

Attributes that are read from the picture itself (brightness, resolution, tone) are here, too.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple

from tasks.domain.images.image_info import ImageInfo
from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.labelled_images import Claim

# The smallest similarity (difflib's ratio) at which two spellings are reported; poodel and poodle have 0.83.
_MIN_SIMILARITY = 0.8
#: The origin of an attribute that is read from the picture, beside the sources of labels.
PICTURE = "picture"
# Upper limits as shares of white. Tone (the middle of the picture) is cut in thirds, the brightness of the whole
# picture at its rare ends. Of 250 photographs of dogs 17% had a dark and 3% a light middle; 7% were dark and 1% bright.
_TONES = ((0.34, "dark"), (0.66, "mid"), (1.01, "light"))
_BRIGHTNESS = ((0.28, "dark"), (0.72, "normal"), (1.01, "bright"))
# Upper limits in pixels of the shorter side; InceptionV3 takes 299.
_RESOLUTIONS = ((299, "low"), (1000, "medium"), (float("inf"), "high"))


class SourceLabel(NamedTuple):
    """What one source of labels says about an object.

    Attributes:
        source: The name of the source: folder, manifest, metadata or inbox.
        label: The label; empty where the source names none.
        attributes: Names and values, sorted by name.
    """

    source: str
    label: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Spelling:
    """How labels are spelled and which are left out; both are compared without regard to case.

    Attributes:
        aliases: The label that each other spelling stands for.
        leave_out: The labels whose images are left out.
    """

    aliases: Mapping[str, str]
    leave_out: Sequence[str]


def read_layout(key: str, layout: str) -> SourceLabel:
    """Read the label and the attributes from the folders of a key.

    With the layout ``label/coat``, ``poodle/white/1.jpg`` is a poodle with coat=white, and ``poodle/1.jpg`` is a poodle
    without a coat.

    Args:
        key: The path of the object below the source.
        layout: The meaning of each level of folders, separated by slashes.

    Returns:
        What the folders say.
    """
    return _read_folders(tuple(key.split("/")[:-1]), layout)


@lru_cache
def _read_folders(folders: tuple[str, ...], layout: str) -> SourceLabel:
    attributes = dict(zip(layout.split("/"), folders, strict=False))
    return SourceLabel("folder", attributes.pop("label", ""), tuple(sorted(attributes.items())))


def normalize_name(text: str) -> str:
    """Normalize a name: composed characters (Unicode NFC, since macOS decomposes them) and single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def apply_aliases(labels: Iterable[str], aliases: Mapping[str, str]) -> tuple[str, ...]:
    """Apply today's aliases to labels, so that a model that learned a former name still knows the class.

    Args:
        labels: Labels, such as the classes of a model.
        aliases: The label that each other spelling stands for.

    Returns:
        The labels in the same order; those without an alias are unchanged.
    """
    labels_by_alias = normalize_aliases(aliases)
    return tuple(labels_by_alias.get(label.casefold(), label) for label in labels)


def suggest_aliases(labels: Iterable[str] | Counter[str]) -> tuple[str, ...]:
    """Suggest aliases for labels that occur once and resemble another, or differ only in case and punctuation.

    Args:
        labels: The label of each image, or how many images have each.

    Returns:
        The suggestions, as sentences.
    """
    counts = Counter(labels)
    hints = []
    for label in sorted(counts):
        candidates = {
            _letters_and_digits(other): other for other in counts if other != label and counts[other] >= counts[label]
        }
        same = candidates.get(_letters_and_digits(label))
        near = (
            get_close_matches(_letters_and_digits(label), candidates, n=1, cutoff=_MIN_SIMILARITY)
            if counts[label] == 1
            else []
        )
        if same and (counts[same], same) > (counts[label], label):
            hints.append(f"{label} and {same} differ only in how they are written: an alias would make them one class")
        elif near and not same:
            other = candidates[near[0]]
            hints.append(f"{label} occurs once and resembles {other}: if it is a slip, add it to labels.aliases")
    return tuple(hints)


def normalize_aliases(aliases: Mapping[str, str]) -> dict[str, str]:
    """Return aliases by the normalized spelling without regard to case."""
    return {normalize_name(other).casefold(): normalize_name(label) for other, label in aliases.items()}


def _letters_and_digits(label: str) -> str:
    return "".join(letter for letter in label.casefold() if letter.isalnum())


def collect_claims(aliases: Mapping[str, str], source_labels: Sequence[SourceLabel]) -> list[Claim]:
    """Return every label of the first source that has one, each with the attributes and the origins.

    Args:
        aliases: The label that each other spelling stands for, as ``normalize_aliases`` returns them.
        source_labels: What the sources of labels say about an object, in the order of their precedence: attributes are
            collected from all of them.

    Returns:
        The claims; several where one source gives several labels.
    """
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
    unique_labels = dict.fromkeys(aliases.get(label.casefold(), label) for label in labels)
    return [(label, tuple(sorted(attributes.items())), tuple(sorted(origins.items()))) for label in unique_labels]


def image_attributes(image_info: ImageInfo) -> Attributes:
    """Return the attributes read from the picture: brightness, resolution and tone, each in three steps."""
    return (
        ("brightness", _step(image_info.properties.brightness, _BRIGHTNESS)),
        ("resolution", _step(min(image_info.width, image_info.height), _RESOLUTIONS)),
        ("tone", _step(image_info.properties.tone, _TONES)),
    )


def _step(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    return next(name for limit, name in steps if value < limit)
