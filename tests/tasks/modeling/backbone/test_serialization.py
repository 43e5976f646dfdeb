"""Weights as a file and as a hash."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.modeling.backbone.serialization import from_bytes, hash_weights, to_bytes

_ARRAYS: list[NDArray[np.float32]] = [
    (np.arange(count) / 7).astype(np.float32).reshape(count, 1) for count in range(1, 13)
]


def test_what_was_written_is_read_in_its_order() -> None:
    """Twelve arrays come back as they were, the tenth not before the second."""
    assert hash_weights(from_bytes(to_bytes(_ARRAYS), "here")) == hash_weights(_ARRAYS)


def test_the_same_weights_make_the_same_file() -> None:
    """No date and no address gets into the file."""
    assert to_bytes(_ARRAYS) == to_bytes([array.copy() for array in _ARRAYS])


def test_half_precision_comes_back_as_single_precision() -> None:
    """A small file holds 16 bits a number, the network gets 32."""
    read = from_bytes(to_bytes(_ARRAYS, np.float16), "here")
    assert {array.dtype for array in read} == {np.dtype("float32")}
    assert np.allclose(read[-1], _ARRAYS[-1], rtol=1e-3)


@given(st.data())
def test_no_damage_goes_unnoticed(data: st.DataObject) -> None:
    """A file that is cut anywhere gets one sentence that names it, and never a traceback."""
    intact = to_bytes(_ARRAYS)
    end = data.draw(st.integers(0, len(intact) - 1))
    with pytest.raises(PedigreeError, match=r"^The weights file x\.npz is damaged or cut short: fetch it again\.$"):
        from_bytes(intact[:end], "x.npz")


def test_other_files_are_refused() -> None:
    """A single array, a text and a pickle are no weights files."""
    single, pickled = io.BytesIO(), io.BytesIO()
    np.save(single, _ARRAYS[0])
    np.savez(pickled, arr_0=np.array([{"code": "danger"}], dtype=object))
    for other in (single.getvalue(), pickled.getvalue(), b"woof", b""):
        with pytest.raises(PedigreeError):
            from_bytes(other, "x.npz")


def test_the_hash_sees_every_bit_shape_and_type() -> None:
    """One bit, another shape, type or order gives another name."""
    changed = [array.copy() for array in _ARRAYS]
    changed[3][0] = np.nextafter(changed[3][0], np.float32(1))
    different: list[list[NDArray[np.float32]]] = [
        changed,
        [_ARRAYS[0], _ARRAYS[1].T, *_ARRAYS[2:]],
        [array.view(np.int32) for array in _ARRAYS],
        _ARRAYS[::-1],
    ]
    assert len({hash_weights(weights) for weights in [_ARRAYS, *different]}) == 5
