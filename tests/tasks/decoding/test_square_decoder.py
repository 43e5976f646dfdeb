"""Processes hand over squares in memory that has no name: whoever is killed, the work goes on and nothing is left."""

import io
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tasks.decoding.square_decoder import SquareDecoder, Squares
from tasks.domain.images.preprocessing import Limits, preprocess_image
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tests.tasks.domain.pictures import progressive_bomb

LIMITS = Limits(max_bytes=10**7, max_pixels=3 * 10**7, min_side=32)
SHRINKING = "tests.tasks.decoding.hostile_worker:shrink_memory"


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """Six drawn dogs as files."""
    return [_file(BREEDS[seed % len(BREEDS)], COATS[seed % len(COATS)], seed) for seed in range(6)]


def _file(breed: str, coat: str, seed: int) -> bytes:
    sink = io.BytesIO()
    draw(breed, coat, seed, side=96).save(sink, "PNG")
    return sink.getvalue()


def square(data: bytes) -> Squares:
    """Decode a file in this process."""
    pixels = preprocess_image(data, 75, LIMITS)
    assert isinstance(pixels, np.ndarray)
    return pixels


def same(squares: Squares | Rejection, expected: Squares) -> bool:
    """Tell whether squares came, and with which bits."""
    return isinstance(squares, np.ndarray) and np.array_equal(squares, expected)


def test_squares_are_those_of_the_pixel_contract(files: list[bytes]) -> None:
    """What comes through shared memory has the bits of the one function that serving calls, in every view."""
    with SquareDecoder(75, LIMITS) as decoder, ThreadPoolExecutor(4) as pool:
        squares = list(pool.map(lambda data: decoder.decode(data, ("identity", "mirror")), files))
    for data, got in zip(files, squares, strict=True):
        assert same(got, np.stack([square(data), square(data)[:, ::-1]]))


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory is seen in /dev/shm")
def test_a_killed_process_stops_nothing_and_leaves_nothing(files: list[bytes]) -> None:
    """Each process is killed while it waits: every square comes, and no memory stays in use."""
    killed: set[int] = set()
    with SquareDecoder(75, LIMITS) as decoder:
        for data in files:
            assert same(decoder.decode(data), square(data)[None])
            for pid in decoder.processes:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        decoder.decode(files[0])
        alive = decoder.processes
    assert killed
    assert not [pid for pid in {*killed, *alive} if Path(f"/proc/{pid}").exists()]
    # The memory has a name only where the kernel lists what is in use.
    assert "squares" not in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert not [file for file in Path("/dev", "shm").iterdir() if "squares" in file.name]


def test_a_picture_that_takes_too_long_costs_only_itself(files: list[bytes]) -> None:
    """Its process is killed after the seconds that the caller gives, and the next picture is decoded."""
    with SquareDecoder(75, LIMITS) as decoder:
        slow = decoder.decode(progressive_bomb(), seconds=1)
        beside = decoder.decode(files[0], seconds=60)
    assert slow == Rejection(Reason.TOO_SLOW, "not decoded within 1 seconds")
    assert same(beside, square(files[0])[None])


def test_what_is_no_picture_is_rejected(files: list[bytes]) -> None:
    """A file that is cut off gets the reason that the pixel contract gives, and one process decodes the next."""
    with SquareDecoder(75, LIMITS) as decoder:
        rejected = [decoder.decode(data) for data in (b"", b"woof", files[0][:400])]
        process = decoder.processes
        assert same(decoder.decode(files[0]), square(files[0])[None])
        assert decoder.processes == process
    assert rejected == [preprocess_image(data, 75, LIMITS) for data in (b"", b"woof", files[0][:400])]


@pytest.mark.skipif(sys.platform != "linux", reason="only there the memory has a handle that can be shrunk")
def test_a_process_that_takes_its_memory_away_counts_as_dead(
    files: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever shares memory with a process that a file took over reads too little, and is not killed by the kernel."""
    monkeypatch.setattr("tasks.decoding.square_decoder._PROGRAM", SHRINKING)
    with SquareDecoder(75, LIMITS) as decoder:
        assert decoder.decode(files[0]) == Rejection(Reason.DECODER_DIED, "the process that decoded it died, 2 times")
