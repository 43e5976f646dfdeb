"""Hashes as people write them: by their first digits."""

import pytest

from configs.errors import AmbiguousError
from tasks.domain.hashing import name_apart, refuse_several


def test_hashes_are_named_by_as_many_digits_as_tell_them_apart() -> None:
    """Twelve digits are shown, and more only where these are the same."""
    different, alike = ["a" * 64, "b" * 64], ["a" * 63 + "1", "a" * 63 + "2"]
    assert name_apart(different) == ["a" * 12, "b" * 12]
    assert name_apart(alike) == alike
    assert name_apart(["a" * 64]) == ["a" * 12]


def test_digits_that_fit_several_name_the_candidates() -> None:
    """One hash that fits is fine; of several the first four are named, and the others counted."""
    refuse_several("abc", "images", ["abc" + "0" * 61])
    hashes = [f"abc{number}" + "0" * 60 for number in range(6)]
    with pytest.raises(
        AmbiguousError, match=r"abc fits 6 images, abc000000000, abc100000000, .* and 2 more: give more"
    ):
        refuse_several("abc", "images", hashes)
