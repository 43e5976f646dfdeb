"""Features on this machine's disk come back as they were, and nothing is left of them."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from configs.errors import PedigreeError
from tasks.modeling.head.feature_file import open_feature_file


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_vectors_come_back_in_order(tmp_path: Path, precision: str) -> None:
    """Whatever order they are written in, each block holds the vectors of its positions."""
    vectors = np.random.default_rng(0).normal(size=(50, 7)).astype(precision).astype(np.float32)
    with open_feature_file(tmp_path, 50, 7, precision) as file:
        for part in np.array_split(np.random.default_rng(1).permutation(50), 4):
            file.write(part, vectors[part])
        assert np.array_equal(file.read(0, 50), vectors)
        assert np.array_equal(file.read(20, 31), vectors[20:31])
        assert list(tmp_path.iterdir()) == []
        os.ftruncate(file.descriptor, 100)
        with pytest.raises(PedigreeError, match="cut short"):
            file.read(20, 31)


def test_a_full_disk_is_said_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk has no room, the sentence says how much is needed and what to set."""

    def full(*_arguments: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with (
        pytest.raises(PedigreeError, match=r"need 8\.2 GB on the disk of .* or set training\.most"),
        open_feature_file(tmp_path, 1_000_000, 2048, "float32"),
    ):
        pass
