"""Groups that grow: they are those of grouping all pictures at once, whatever came, went or changed."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.domain.images import group_extension
from tasks.domain.images.group_extension import UNGROUPED, extend_groups, keep_groups
from tasks.domain.images.near_duplicates import group_hashes
from tests.tasks.domain.picture_hashes import DETAIL, OUTLINE, between, flipped, hashes, near


def _rows(pictures: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(pictures), np.uint8).reshape(-1, 32)


@st.composite
def histories(draw: st.DrawFn, bits: int) -> tuple[list[bytes], list[int], list[int]]:
    """Draw pictures, some of them alike, with the numbers of those that were there before and that are there now."""
    pictures = draw(st.lists(hashes, min_size=1, max_size=10))
    for _ in range(draw(st.integers(0, 10))):
        old, other = draw(st.sampled_from(pictures)), draw(st.sampled_from(pictures))
        pictures.append(draw(st.one_of(near(old, bits), st.just(old), st.just(between(old, other)))))
    flags = st.lists(st.sampled_from(["before", "now", "both", "both", "both"]), min_size=len(pictures))
    kinds = draw(flags)[: len(pictures)]
    before = [number for number, kind in enumerate(kinds) if kind != "now"]
    return pictures, before, [number for number, kind in enumerate(kinds) if kind != "before"]


@given(st.integers(0, 80), st.data())
def test_groups_that_grow_and_shrink_are_those_of_grouping_at_once(bits: int, data: st.DataObject) -> None:
    """New pictures, removed ones and changed hashes lead to the very groups of grouping all at once, for any bits."""
    pictures, before, now = data.draw(histories(bits))
    former = _rows([pictures[number] for number in before])
    places = {number: index for index, number in enumerate(now)}
    positions = np.array([places.get(number, -1) for number in before], np.intp)
    changed: set[int] = data.draw(st.sets(st.sampled_from(now), max_size=2)) if now else set()
    current = [flipped(pictures[number], [3, 99]) if number in changed else pictures[number] for number in now]
    positions[[before.index(number) for number in changed if number in before]] = -1
    kept = keep_groups(group_hashes(former, bits), positions, len(now))
    with pytest.MonkeyPatch.context() as patch:
        # So few pictures would all be grouped at once.
        patch.setattr(group_extension, "_MOST_NEW", 1.0)
        patch.setattr(group_extension, "_AT_ONCE", 3)
        assert extend_groups(_rows(current), kept, bits).tolist() == group_hashes(_rows(current), bits).tolist()


def test_every_light_difference_of_outlines_is_found_by_looking_up() -> None:
    """Whichever five bits of the outline differ, a new picture finds the old one; with a sixth it does not."""
    random = Random(6)  # noqa: S311 - no secret
    others = [random.randbytes(32) for _ in range(50)]
    for _ in range(30):
        picture, bits = random.randbytes(32), random.sample(OUTLINE, 6)
        for differing, expected in ((bits[:5], 50), (bits, 51)):
            rows = _rows([*others, picture, flipped(picture, differing)])
            groups = np.append(np.arange(51), UNGROUPED)
            assert extend_groups(rows, groups, 72)[-1] == expected


def test_most_new_pictures_are_grouped_at_once() -> None:
    """Where more pictures are new than known, the groups are the same."""
    random = Random(7)  # noqa: S311 - no secret
    rows = _rows([flipped(bytes(32), random.sample(DETAIL, 40)) for _ in range(60)])
    groups = np.full(60, UNGROUPED)
    groups[0] = 0
    assert extend_groups(rows, groups, 64).tolist() == group_hashes(rows, 64).tolist()
