"""Exclusions: the objects of a source or a labelling that are not in a dataset version, each with the reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from tasks.domain.datasets.image_issues import ALIKE
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.published_splits import ELSEWHERE
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.images.rejections import Rejection
from tasks.domain.labels.labelled_images import LabelledImages, Labelling

CONFLICT, UNLABELLED, LEFT_OUT, WAITING = "conflict", "unlabelled", "left-out", "waiting"
# The issues of a data card that a person has to decide, with the reason under which their images are listed.
_ISSUE_REASONS = {ALIKE: "alike-under-two-labels", ELSEWHERE: "not-in-published-split"}


@dataclass(frozen=True, slots=True)
class Excluded:
    """An object that is not in a dataset version.

    Attributes:
        reason: The reason, in one word.
        detail: The details, for people.
        key: Where it is in the source.
        image: The SHA-256 of its bytes; empty for a rejected object.
        source: The address of the source; empty for a labelled image.
    """

    reason: str
    detail: str
    key: str
    image: str
    source: str


def list_rejected(source: str, rejections: Mapping[str, Rejection]) -> list[Excluded]:
    """List the rejected objects of a source.

    Args:
        source: The address of the source.
        rejections: The rejection of each key.

    Returns:
        The excluded objects, sorted by key.
    """
    return [
        Excluded(rejection.reason.value, rejection.detail, key, "", source)
        for key, rejection in sorted(rejections.items())
    ]


def list_excluded(labelling: Labelling, rows: Iterable[Row], waiting: Sequence[str]) -> list[Excluded]:
    """List the objects of a labelling that are not in the version made of it.

    Args:
        labelling: The labelled images, and those without a label.
        rows: The version's rows.
        waiting: The classes that wait, as lines ``class (why)``.

    Returns:
        The excluded objects, grouped by reason.
    """
    labelled = LabelledImages.of(labelling.labelled)
    waiting_images = labelled.take(np.asarray(pc.invert(pc.is_in(labelled.images, VersionRows.of(rows).images))))
    excluded = [
        Excluded(CONFLICT, f"it is also called {_other_claims(label, key, entry.claims)}", key, entry.image, "")
        for entry in labelling.conflicts
        for label, key in entry.claims
    ]
    excluded += [
        Excluded(UNLABELLED, "nobody says what it shows", entry.key, entry.image, "") for entry in labelling.unlabelled
    ]
    excluded += [
        Excluded(LEFT_OUT, f"labels.leave_out names {entry.label}", entry.key, entry.image, "")
        for entry in labelling.left_out
    ]
    excluded += [
        Excluded(WAITING, _explain_waiting(entry.label, waiting), entry.key, entry.image, "")
        for entry in waiting_images
    ]
    return excluded


def list_doubtful(findings: Iterable[Mapping[str, Any]]) -> list[Excluded]:
    """List the images of a version whose label or split contradicts another image, from a card's findings as JSON."""
    return [
        Excluded(
            _ISSUE_REASONS[finding["kind"]], f"{image['label']}, {image['figure']}", image["key"], image["image"], ""
        )
        for finding in findings
        if finding["kind"] in _ISSUE_REASONS
        for image in finding["images"]
    ]


def _other_claims(label: str, key: str, claims: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{other} ({at})" for other, at in claims if (other, at) != (label, key))


def _explain_waiting(label: str, waiting: Sequence[str]) -> str:
    line = next((entry for entry in waiting if entry.startswith(f"{label} (")), label)
    return f"the class waits: {line}"
