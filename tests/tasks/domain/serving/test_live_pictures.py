"""The sample of live pictures: bounded, distinct, and the same in whatever order pictures come."""

import random
from hashlib import sha256

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.domain.serving.live_pictures import LiveImage, LiveSample, one_of_each_group, to_columns

_BITS = 72


def _image(number: int) -> tuple[str, LiveImage]:
    """Make a picture that looks like no other."""
    look = np.random.default_rng(number)
    seen = LiveImage(
        look.bytes(32), np.full(4, number, np.float32), np.array([0.9, 0.1]), bool(number % 2), np.nan, 0.5, 0.25
    )
    return sha256(str(number).encode()).hexdigest(), seen


def _numbers(sample: LiveSample) -> list[int]:
    return [int(image.features[0]) for image in one_of_each_group(sample.images(), _BITS)]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 40), max_size=120), st.integers(1, 20), st.randoms(use_true_random=False))
def test_repetition_and_order_change_nothing(numbers: list[int], most: int, shuffler: random.Random) -> None:
    """However often and in whatever order pictures come, each distinct one counts once, and as many as fit are kept."""
    first, second = (LiveSample(most, b"salt") for _ in range(2))
    for number in numbers:
        first.add(*_image(number))
    once = sorted(set(numbers))
    shuffler.shuffle(once)
    for number in once:
        second.add(*_image(number))
    assert _numbers(first) == _numbers(second)
    assert len(first) == min(most, len(once))


def test_every_picture_has_the_same_chance() -> None:
    """Over many salts each of a hundred pictures is among ten about once in ten times, the first and the last alike."""
    images = [_image(number) for number in range(100)]
    counts = np.zeros(100)
    for salt in range(400):
        sample = LiveSample(10, str(salt).encode())
        for image in images:
            sample.add(*image)
        counts[_numbers(sample)] += 1
    assert counts.sum() == 4000
    assert counts.min() > 15
    assert counts.max() < 75


def test_near_duplicates_count_once() -> None:
    """Pictures that look alike stand for one in the comparison, though their bytes differ."""
    sample = LiveSample(10, b"salt")
    looks = [_image(number)[1] for number in (1, 1, 2)]
    for number, seen in enumerate(looks):
        sample.add(sha256(str(number).encode()).hexdigest(), seen)
    assert len(sample) == 3
    assert sorted(_numbers(sample)) == [1, 2]


def test_pictures_become_columns() -> None:
    """What is known of each picture stands in its place."""
    columns = to_columns([_image(number)[1] for number in range(3)])
    assert columns.probabilities.shape == (3, 2)
    assert columns.sure.tolist() == [False, True, False]
    assert np.isnan(columns.unusual).all()
    assert columns.brightness.tolist() == [0.5] * 3
    assert columns.tone.tolist() == [0.25] * 3
