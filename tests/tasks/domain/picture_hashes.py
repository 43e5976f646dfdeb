"""Hashes of pictures that look alike or nearly do, and the plain comparison of two of them."""

from collections.abc import Iterable

from hypothesis import strategies as st

# Bit 16 u + v tells of frequency u downwards and v sideways; the outline is the lowest 36 of them but for the mean.
OUTLINE = [16 * u + v for u in range(16) for v in range(16) if 0 < u + v < 8 or u == v == 4]
DETAIL = sorted(set(range(1, 256)) - set(OUTLINE))
MIRRORED = range(1, 256, 2)

hashes = st.binary(min_size=32, max_size=32)


def _number(bits: Iterable[int]) -> int:
    return sum(1 << (255 - bit) for bit in bits)


_OUTLINE, _TURNED = _number(OUTLINE), _number(MIRRORED)


def flipped(picture: bytes, bits: Iterable[int]) -> bytes:
    """Turn these bits of a hash, the first being the highest."""
    return (int.from_bytes(picture) ^ _number(bits)).to_bytes(32)


def between(first: bytes, second: bytes) -> bytes:
    """Make the hash that has every other difference of two hashes."""
    differing = int.from_bytes(first) ^ int.from_bytes(second)
    bits = [bit for bit in [*OUTLINE, *DETAIL] if differing >> (255 - bit) & 1]
    return flipped(first, bits[::2])


def alike(first: bytes, second: bytes, bits: int) -> bool:
    """Compare two hashes as docs/explanation/near-duplicates.md says, one of them mirrored or not."""
    for turned in (0, _TURNED):
        differing = int.from_bytes(first) ^ int.from_bytes(second) ^ turned
        if differing.bit_count() <= bits and (differing & _OUTLINE).bit_count() <= 5:
            return True
    return False


@st.composite
def near(draw: st.DrawFn, picture: bytes, bits: int) -> bytes:
    """Draw a hash that is about so many bits away, its outline about five, mirrored or not."""
    random = draw(st.randoms(use_true_random=False))
    outline = random.sample(OUTLINE, draw(st.integers(0, min(7, bits))))
    detail = random.sample(DETAIL, max(0, bits - len(outline) + draw(st.sampled_from([-4, -1, 0, 1]))))
    return flipped(picture, [*outline, *detail, *(MIRRORED if draw(st.booleans()) else ())])
