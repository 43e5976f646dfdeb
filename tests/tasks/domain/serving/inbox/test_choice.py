"""The inbox: whose pictures are drawn, which of them, and how many."""

import random
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.domain.images.near_duplicates import group_near_duplicates
from tasks.domain.serving.inbox.choice import (
    Candidate,
    KeepingReason,
    LivePicture,
    choose_candidates,
    count_places,
    leave_out_near_duplicates,
    list_reasons,
)
from tasks.domain.serving.nearest import UNUSUAL

_BITS = 72
_SHARE, _SALT = 0.01, b"salt"
_REASONS = st.lists(st.sampled_from(list(KeepingReason)), min_size=1, unique=True).map(tuple)


def _name(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def _choose(candidates: list[Candidate], most: int, *earlier: Candidate) -> tuple[Candidate, ...]:
    """Choose as the service does, on a day with so many places."""
    distinct = leave_out_near_duplicates(candidates, [candidate.phash for candidate in earlier], _BITS)
    return choose_candidates(distinct, earlier, most, most)


def _candidate(number: int, *reasons: KeepingReason, like: int | None = None) -> Candidate:
    """Make a candidate that nothing else looks like, or that looks like another one."""
    look = np.random.default_rng(number if like is None else like)
    return Candidate(_name(number), look.bytes(32), look.random(8, np.float32), reasons or (KeepingReason.UNSURE,))


@given(st.booleans(), st.floats(0, 1), st.booleans(), st.booleans(), st.integers(0, 1000))
def test_nothing_is_kept_without_consent(
    sure: bool, unusual: float, disputed: bool, contradicted: bool, number: int
) -> None:
    """A picture whose sender did not agree has no reason, whatever it shows; with consent each reason is named."""
    picture = LivePicture(_name(number), consent=True, sure=sure, unusual=unusual)
    picture = replace(picture, disputed=disputed, contradicted=contradicted)
    assert list_reasons(replace(picture, consent=False), _SHARE, _SALT) == ()
    reasons = {*list_reasons(picture, _SHARE, _SALT)} - {KeepingReason.RANDOM}
    assert reasons == {
        reason
        for reason, holds in (
            (KeepingReason.UNSURE, not sure),
            (KeepingReason.UNUSUAL, unusual >= UNUSUAL),
            (KeepingReason.DISPUTED, disputed),
            (KeepingReason.CONTRADICTED, contradicted),
        )
        if holds
    }


def test_chance_keeps_one_in_a_hundred_and_the_same_ones() -> None:
    """Of ordinary pictures one in a hundred is drawn; asking again changes nothing, another salt keeps others."""
    pictures = [LivePicture(_name(number), consent=True, sure=True) for number in range(20_000)]
    drawn = {picture.image for picture in pictures if list_reasons(picture, _SHARE, _SALT)}
    assert len(drawn) / len(pictures) == pytest.approx(_SHARE, abs=0.003)
    assert drawn == {picture.image for picture in reversed(pictures) if list_reasons(picture, _SHARE, _SALT)}
    others = {picture.image for picture in pictures if list_reasons(picture, _SHARE, b"other")}
    assert len(others & drawn) < 0.1 * len(drawn)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8), _REASONS), max_size=40, unique_by=lambda row: row[0]),
    st.integers(0, 12),
    st.randoms(use_true_random=False),
)
def test_a_day_is_bounded_without_near_duplicates_and_in_any_order(
    rows: list[tuple[int, int, tuple[KeepingReason, ...]]], most: int, shuffler: random.Random
) -> None:
    """At most so many are chosen, no two look alike, no place stays empty, and the order is nothing."""
    candidates = [_candidate(number, *reasons, like=1000 + like) for number, like, reasons in rows]
    chosen = _choose(candidates, most)
    groups = group_near_duplicates({candidate.image: candidate.phash for candidate in candidates}, _BITS)
    assert len({groups[candidate.image] for candidate in chosen}) == len(chosen) <= most
    if not any(reasons == (KeepingReason.RANDOM,) for _, _, reasons in rows):
        assert len(chosen) == min(most, len(set(groups.values())))
    shuffler.shuffle(candidates)
    assert [candidate.image for candidate in _choose(candidates, most)] == [candidate.image for candidate in chosen]


def test_a_flood_of_one_picture_takes_one_place() -> None:
    """Whoever sends a hundred copies of a picture, each with other bytes, leaves room for everybody else."""
    flood = [_candidate(number, like=5) for number in range(100)]
    candidates = [_candidate(number) for number in range(200, 205)]
    chosen = _choose([*flood, *candidates], 6)
    assert len(chosen) == 6
    assert {candidate.image for candidate in candidates} < {candidate.image for candidate in chosen}


def test_the_chosen_ones_are_diverse() -> None:
    """Of three clusters of pictures that do not look alike, three places show one picture of each."""
    centers = np.eye(3, 16, dtype=np.float32)
    candidates = [
        Candidate(
            _name(number), np.random.default_rng(number).bytes(32), centers[number % 3] + 0.01, (KeepingReason.UNSURE,)
        )
        for number in range(60)
    ]
    chosen = _choose(candidates, 3)
    assert sorted(int(candidate.features.argmax()) for candidate in chosen) == [0, 1, 2]


def test_reasons_take_turns_and_chance_has_its_share() -> None:
    """A flood for one reason leaves room for the others; at most half of the places are drawn by chance."""
    unsure = [_candidate(number) for number in range(10)]
    contradicted = [_candidate(number, KeepingReason.CONTRADICTED) for number in range(20, 22)]
    drawn = [_candidate(number, KeepingReason.RANDOM, KeepingReason.UNUSUAL) for number in range(30, 50)]
    assert _choose([*unsure, *contradicted], 1)[0] in contradicted
    chosen = _choose([*unsure, *drawn, *contradicted], 10)
    assert [KeepingReason.RANDOM in candidate.reasons for candidate in chosen] == [True] * 5 + [False] * 5
    assert [candidate.reasons for candidate in chosen[5:]] == [
        (KeepingReason.CONTRADICTED,),
        (KeepingReason.UNUSUAL,),
        (KeepingReason.UNSURE,),
        (KeepingReason.CONTRADICTED,),
        (KeepingReason.UNUSUAL,),
    ]


def test_what_the_day_has_kept_counts() -> None:
    """None of a group that is kept comes in again, drawn ones keep to half of a day, and others differ from both."""
    centers = np.eye(2, 16, dtype=np.float32)
    kept = replace(_candidate(1, KeepingReason.RANDOM), features=centers[0])
    assert _choose([_candidate(2, like=1)], 6, kept) == ()
    near, far = (replace(_candidate(number), features=center) for number, center in enumerate(centers, 3))
    assert _choose([near, far], 1, kept)[0].image == far.image
    drawn = [_candidate(number, KeepingReason.RANDOM) for number in range(10, 20)]
    assert len(_choose(drawn, 6, kept)) == 2
    other_network = replace(_candidate(5), features=np.ones(3, np.float32))
    assert len(_choose([other_network], 1, kept)) == 1


def test_places_open_in_the_course_of_a_day() -> None:
    """A quarter is open at once, all of them at its end, and on no day with places is none open."""
    assert [count_places(100, passed) for passed in (0.0, 0.5, 1.0)] == [25, 63, 100]
    assert count_places(1, 0.0) == 1
