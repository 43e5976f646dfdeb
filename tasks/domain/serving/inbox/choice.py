"""Inbox choice: which live pictures are worth a label, of those whose senders agreed to have them kept."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from math import ceil

import numpy as np
from numpy.typing import NDArray

from tasks.domain.images.near_duplicates import group_near_duplicates
from tasks.domain.serving.nearest import UNUSUAL

# Random pictures take at most this share of a day's places, so that a busy day leaves room for instructive ones.
_RANDOM_PLACES = 0.5
# This share of a day's places is open from its beginning on; the others open evenly until its end.
_OPEN_AT_ONCE = 0.25
_DRAWN = 2**64


class KeepingReason(StrEnum):
    """Why a picture is worth a label, the most telling first."""

    CONTRADICTED = "contradicted"
    DISPUTED = "disputed"
    UNUSUAL = "unusual"
    UNSURE = "unsure"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class LivePicture:
    """What is known of a picture that the service answered.

    Attributes:
        image: The SHA-256 of its bytes.
        consent: Whether its sender agreed to have it kept for training.
        sure: Whether the model was confident.
        unusual: How unusual the picture is, from 0 to 1; None where that is not known.
        disputed: Whether the challenger gives another class.
        contradicted: Whether a person said that the answer is wrong.
    """

    image: str
    consent: bool
    sure: bool
    unusual: float | None = None
    disputed: bool = False
    contradicted: bool = False


def list_reasons(picture: LivePicture, share: float, salt: bytes) -> tuple[KeepingReason, ...]:
    """List why a picture is worth a label.

    Chance depends on the picture's bytes and on the salt alone: sending a picture again gives it no second chance, and
    nobody who does not know the salt can make one that is drawn.

    Args:
        picture: The picture.
        share: The share of pictures that are kept for no other reason than chance; only these can say how the model
            does.
        salt: A secret of the service.

    Returns:
        The reasons, the most telling first; none without consent.
    """
    if not picture.consent:
        return ()
    applies = {
        KeepingReason.CONTRADICTED: picture.contradicted,
        KeepingReason.DISPUTED: picture.disputed,
        KeepingReason.UNUSUAL: picture.unusual is not None and picture.unusual >= UNUSUAL,
        KeepingReason.UNSURE: not picture.sure,
        KeepingReason.RANDOM: _draw(picture.image, salt) < share,
    }
    return tuple(reason for reason, holds in applies.items() if holds)


def _draw(image: str, salt: bytes) -> float:
    """Return a number from 0 to 1 that is drawn once for each picture."""
    digest = hashlib.sha256(salt + bytes.fromhex(image)).digest()
    return int.from_bytes(digest[:8]) / _DRAWN


def count_places(per_day: int, passed: float) -> int:
    """Count the places that are open, so that one hour does not take those of a whole day.

    Args:
        per_day: The places of a day.
        passed: The share of the day that has passed, from 0 to 1.

    Returns:
        The places, those included that are taken.
    """
    return ceil(per_day * (_OPEN_AT_ONCE + (1 - _OPEN_AT_ONCE) * passed))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that is worth a label.

    Attributes:
        image: The SHA-256 of its bytes.
        phash: Its perceptual hash, 32 bytes.
        features: Its features, of shape (width,).
        reasons: Why it is worth a label.
    """

    image: str
    phash: bytes
    features: NDArray[np.float32]
    reasons: tuple[KeepingReason, ...]

    @property
    def is_drawn(self) -> bool:
        """Return whether chance is one of the reasons."""
        return KeepingReason.RANDOM in self.reasons


def leave_out_near_duplicates(
    candidates: Iterable[Candidate], earlier: Iterable[bytes], bits: int
) -> tuple[Candidate, ...]:
    """Leave one of each near-duplicate group, and none of a group of which a picture is kept already.

    Args:
        candidates: The candidates.
        earlier: The perceptual hashes of pictures that are kept.
        bits: How many of the 256 bits of two hashes may differ in near duplicates.

    Returns:
        The candidate of each group with the most telling reason, the first by name among equals.
    """
    ranked = sorted({candidate.image: candidate for candidate in candidates}.values(), key=_rank)
    hashes = {candidate.image: candidate.phash for candidate in ranked}
    hashes_before = {f"kept {phash.hex()}": phash for phash in earlier}
    groups = group_near_duplicates(hashes | hashes_before, bits)
    taken = {groups[name] for name in hashes_before}
    chosen: dict[str, Candidate] = {}
    for candidate in ranked:
        if groups[candidate.image] not in taken:
            chosen.setdefault(groups[candidate.image], candidate)
    return tuple(chosen.values())


def choose_candidates(
    candidates: Sequence[Candidate], earlier: Sequence[Candidate], places: int, per_day: int
) -> tuple[Candidate, ...]:
    """Choose pictures that differ as much as possible from each other and from those that the day has kept.

    Pictures that chance drew come first, up to half of a day's places, in the order of their names and whatever they
    show: they are the honest sample of what people send, so only they keep that reason. The reasons take turns at the
    other places; each takes its picture that is farthest from all that are chosen (Gonzalez, "Clustering to minimize
    the maximum intercluster distance", 1985), so that a flood for one reason leaves room for the others. The order of
    the candidates changes nothing.

    Args:
        candidates: The candidates, of which no two are near duplicates.
        earlier: Those that the day has kept already.
        places: How many may be chosen.
        per_day: The places of a whole day.

    Returns:
        The chosen ones in the order of choice, with the reasons for which they are.
    """
    drawn_places = ceil(per_day * _RANDOM_PLACES) - sum(candidate.is_drawn for candidate in earlier)
    drawn = sorted((candidate for candidate in candidates if candidate.is_drawn), key=lambda drawn: drawn.image)
    drawn = drawn[: max(0, min(places, drawn_places))]
    names = {candidate.image for candidate in drawn}
    remaining = [_without_chance(candidate) for candidate in candidates if candidate.image not in names]
    others = [candidate for candidate in remaining if candidate.reasons]
    return (*drawn, *_take_turns(others, [*earlier, *drawn], places - len(drawn)))


def _without_chance(candidate: Candidate) -> Candidate:
    reasons = tuple(reason for reason in candidate.reasons if reason != KeepingReason.RANDOM)
    return Candidate(candidate.image, candidate.phash, candidate.features, reasons)


def _rank(candidate: Candidate) -> tuple[int, str]:
    # A group that chance drew is represented by the picture that was drawn, or the sample would depend on the others.
    order = {reason: position for position, reason in enumerate(KeepingReason)}
    telling = min((order[reason] for reason in candidate.reasons), default=len(order))
    return (-1 if candidate.is_drawn else telling), candidate.image


def _take_turns(remaining: Sequence[Candidate], chosen: Sequence[Candidate], most: int) -> list[Candidate]:
    """Choose candidates one by one, for one reason after the other, each the farthest from those before."""
    if not remaining or most <= 0:
        return []
    ranked = sorted(remaining, key=_rank)
    directions = _directions(ranked)
    # Features of another model's network have another width, and nothing in common with these.
    alike = [candidate for candidate in chosen if candidate.features.shape == ranked[0].features.shape]
    similarity = (directions @ _directions(alike).T).max(axis=1) if alike else np.full(len(ranked), -np.inf)
    applies = np.array([[reason in candidate.reasons for candidate in ranked] for reason in KeepingReason])
    turns, picked = cycle(range(len(KeepingReason))), list[int]()
    while len(picked) < min(most, len(ranked)):
        open_positions = np.flatnonzero(applies[next(turns)])
        if len(open_positions):
            # The first of the least similar ones, in the order of the ranks.
            picked.append(int(open_positions[similarity[open_positions].argmin()]))
            similarity = np.maximum(similarity, directions @ directions[picked[-1]])
            applies[:, picked[-1]] = False
    return [ranked[position] for position in picked]


def _directions(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Return the features scaled to length 1, of shape (n_candidates, width)."""
    features = np.stack([candidate.features for candidate in candidates]).astype(np.float64)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1))
