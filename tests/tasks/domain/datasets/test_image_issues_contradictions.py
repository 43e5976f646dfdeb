"""Near duplicates under two labels are found in pairs, and only where the two themselves are alike."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.datasets.image_issues import (
    ALIKE,
    ImageName,
    NearDuplicates,
    Twin,
    count_contradictory,
    find_contradictions,
    report_contradictions,
)
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_diff import measure_drift
from tasks.domain.images.near_duplicates import HASH_BYTES, group_near_duplicates

BITS = 12
_CHANCE = np.random.default_rng(3)
ORIGINALS = [_CHANCE.bytes(HASH_BYTES) for _ in range(3)]
MIRROR = bytes([0x55]) * HASH_BYTES


def flipped(original: bytes, bits: list[int], *, mirrored: bool = False) -> bytes:
    """Change some bits of a hash that are none of its outline, and mirror it."""
    data = bytearray(original)
    for bit in bits:
        data[31 - bit // 8] ^= 1 << (bit % 8)
    return bytes(byte ^ other for byte, other in zip(data, MIRROR, strict=True)) if mirrored else bytes(data)


def differing(first: bytes, second: bytes) -> int:
    """Count the bits in which two hashes differ, one of them mirrored or not."""
    ways = [second, bytes(left ^ right for left, right in zip(second, MIRROR, strict=True))]
    return min((int.from_bytes(first) ^ int.from_bytes(way)).bit_count() for way in ways)


pictures = st.lists(
    st.tuples(
        st.builds(
            flipped,
            st.sampled_from(ORIGINALS),
            st.lists(st.integers(0, 100), max_size=12, unique=True),
            mirrored=st.booleans(),
        ),
        st.sampled_from(["pug", "boxer", "collie"]),
    ),
    max_size=12,
)


@given(pictures)
def test_each_contradicting_image_has_its_nearest_counterpart(pictures: list[tuple[bytes, str]]) -> None:
    """An image has a twin if and only if one of another label is alike, and the twin is one of the nearest of those."""
    hashes = {str(number): value for number, (value, _) in enumerate(pictures)}
    labels = {str(number): label for number, (_, label) in enumerate(pictures)}
    twins = {
        twin.image: twin
        for twin in find_contradictions(NearDuplicates(hashes, group_near_duplicates(hashes, BITS), BITS), labels)
    }
    for image, value in hashes.items():
        # Copies share the outline, and originals are far apart, so the bits alone decide.
        other_hashes = [hashes[other] for other in hashes if labels[other] != labels[image]]
        apart = [bits for bits in (differing(value, other) for other in other_hashes) if bits <= BITS]
        assert (image in twins) == bool(apart)
        if apart:
            assert twins[image].bits == min(apart) == differing(value, hashes[twins[image].other])
            assert labels[twins[image].other] != labels[image]


def test_the_ends_of_a_chain_do_not_contradict() -> None:
    """Two labels in one group are no contradiction where only pictures in between resemble both."""
    ends = {"a": flipped(ORIGINALS[0], []), "c": flipped(ORIGINALS[0], list(range(20)))}
    chain = {**ends, "b": flipped(ORIGINALS[0], list(range(10)))}
    assert len(set(group_near_duplicates(chain, BITS).values())) == 1
    assert (
        find_contradictions(NearDuplicates(ends, group_near_duplicates(chain, BITS), BITS), {"a": "pug", "c": "boxer"})
        == ()
    )
    twins = find_contradictions(
        NearDuplicates(chain, group_near_duplicates(chain, BITS), BITS), {"a": "pug", "b": "pug", "c": "boxer"}
    )
    assert twins == (Twin("b", "c", 10), Twin("c", "b", 10))


def test_a_pair_stands_together_in_the_finding() -> None:
    """The nearest pair comes first, each image beside its counterpart, and names it with its label."""
    twins = (Twin("a", "b", 1), Twin("b", "a", 1), Twin("c", "a", 5))
    images = {"a": ImageName("pug/a", "pug"), "b": ImageName("boxer/b", "boxer"), "c": ImageName("boxer/c", "boxer")}
    (finding,) = report_contradictions(twins, images, {"a", "b", "c"})
    assert finding.kind == ALIKE
    assert [(image.image, image.label, image.figure) for image in finding.images] == [
        ("a", "pug", "like boxer/b, boxer"),
        ("b", "boxer", "like pug/a, pug"),
        ("c", "boxer", "like pug/a, pug"),
    ]
    assert [image.image for image in report_contradictions(twins, images, {"b"})[0].images] == ["b"]
    assert report_contradictions(twins, images, set()) == ()
    assert count_contradictory(twins, {"a", "c", "d"}) == 2


def test_contradictory_images_count_as_label_conflicts() -> None:
    """The figure of the rule is the share of images with two labels or with a near duplicate under another one."""
    rows = [Row(str(number), "pug", Split.TRAIN, (), f"pug/{number}") for number in range(8)]
    assert measure_drift(rows, [], (), 2).conflicts == 2 / 10
    assert measure_drift(rows, [], (), 2, 3).conflicts == 5 / 10
    assert measure_drift(rows, [], (), 0, 8).conflicts == 1
