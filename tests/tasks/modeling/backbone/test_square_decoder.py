"""Processes hand over squares in memory that has no name: whoever is killed, the work goes on and nothing is left."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from configs.errors import PedigreeError
from tasks.domain.images.preprocessing import Limits, preprocess_image
from tasks.modeling.backbone.square_decoder import SquareDecoder, render_squares


def test_squares_are_those_of_the_pixel_contract(images: list[tuple[str, bytes]], limits: Limits) -> None:
    """What comes through shared memory has the bits of the one function that serving calls, in every view."""
    requests = [(name, data, ("identity", "mirror")) for name, data in images]
    with SquareDecoder(75, limits) as decoder:
        for (_, data, _), squares in zip(requests, decoder.decode(requests), strict=True):
            pixels = preprocess_image(data, 75, limits)
            assert isinstance(pixels, np.ndarray)
            assert np.array_equal(squares, np.stack([pixels, pixels[:, ::-1]]))


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory is seen in /dev/shm")
def test_a_killed_process_stops_nothing_and_leaves_nothing(images: list[tuple[str, bytes]], limits: Limits) -> None:
    """Each process is killed while others are asked: every square comes, in order, and no memory stays in use."""
    requests = [(f"{name} {number}", data, ("identity",)) for number in range(4) for name, data in images]
    killed: set[int] = set()
    with SquareDecoder(75, limits) as decoder:
        for number, (request, squares) in enumerate(zip(requests, decoder.decode(requests), strict=True)):
            assert np.array_equal(squares, render_squares(request, 75, limits))
            if number % 16 == 0:
                for pid in decoder.processes:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
        alive = decoder.processes
    assert killed
    assert not [pid for pid in {*killed, *alive} if Path(f"/proc/{pid}").exists()]
    # The memory has a name only where the kernel lists what is in use.
    assert "squares" not in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert not [file for file in Path("/dev", "shm").iterdir() if "squares" in file.name]


def test_a_process_that_always_dies_is_not_needed(
    images: list[tuple[str, bytes]], limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no process lives long enough, this one decodes."""
    monkeypatch.setattr("tasks.modeling.backbone.square_decoder._COMMAND", "raise SystemExit(1)")
    with SquareDecoder(75, limits) as decoder:
        (squares,) = decoder.decode([(*images[0], ("identity",))])
    assert np.array_equal(squares, render_squares((*images[0], ("identity",)), 75, limits))


def test_a_damaged_image_is_named(images: list[tuple[str, bytes]], limits: Limits) -> None:
    """It stops the run with the sentence that it gets without processes."""
    with SquareDecoder(75, limits) as decoder, pytest.raises(PedigreeError, match="stored image dog 5 cannot be used"):
        list(decoder.decode([("dog 5", images[5][1][:400], ("identity",))]))
