"""Heads and backbones that lie in the store are what was written, or their file is named."""

from pathlib import Path

import numpy as np
import pytest

from configs.errors import PedigreeError
from configs.schema import Settings
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.model_record import hash_settings
from tasks.features.stored_models import backbone_files, check_backbone, head_bytes, stored_head
from tasks.modeling.backbone.serialization import hash_weights, to_bytes
from tasks.modeling.head.head import Head
from tasks.stores.store import Store

HEAD = Head(("boxer", "pug"), np.ones((3, 2), np.float32), np.zeros(2, np.float32), 1.5, 0.2)
WEIGHTS = [np.arange(6, dtype=np.float32).reshape(2, 3)]
FACTS = {"weights": hash_weights(WEIGHTS)}
FINGERPRINT = sha256_of(FACTS)


@pytest.mark.parametrize(
    "other",
    [
        Head(HEAD.classes, -HEAD.weights, HEAD.bias, 1.5, 0.2),
        Head(("pug", "boxer"), HEAD.weights, HEAD.bias, 1.5, 0.2),
        Head(HEAD.classes, HEAD.weights, HEAD.bias, 1.5, 0.0),
    ],
)
def test_an_exchanged_head_is_never_read(tmp_path: Path, other: Head) -> None:
    """Other weights, classes or another threshold under a head's name are refused in a sentence that names the file."""
    Store(str(tmp_path)).heads.write(HEAD.name, other.to_bytes())
    for read in (head_bytes, stored_head):
        with pytest.raises(
            PedigreeError, match=rf"The file heads/{HEAD.name}\.npz in .* is not what was written: put it"
        ):
            read(Store(str(tmp_path)), HEAD.name)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_head_with_a_flipped_bit_is_never_another_one(tmp_path: Path, share: float) -> None:
    """A head is read as it was written, or not at all, wherever a bit flips."""
    data = bytearray(HEAD.to_bytes())
    data[int(len(data) * share)] ^= 4
    Store(str(tmp_path)).heads.write(HEAD.name, bytes(data))
    try:
        assert stored_head(Store(str(tmp_path)), HEAD.name).name == HEAD.name
    except PedigreeError as problem:
        assert f"heads/{HEAD.name}.npz" in str(problem)  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("data", "facts", "file"),
    [
        (to_bytes([-WEIGHTS[0]]), FACTS, "npz"),
        (to_bytes(WEIGHTS)[:-30], FACTS, "npz"),
        (to_bytes(WEIGHTS), {**FACTS, "size": 99}, "json"),
        (to_bytes([-WEIGHTS[0]]), {"weights": hash_weights([-WEIGHTS[0]])}, "json"),
    ],
)
def test_an_exchanged_backbone_is_never_read(tmp_path: Path, data: bytes, facts: dict[str, str], file: str) -> None:
    """Other weights or other facts under a backbone's fingerprint are refused in a sentence that names the file."""
    Store(str(tmp_path)).backbones.write(FINGERPRINT, data, facts)
    with pytest.raises(PedigreeError, match=rf"The file backbones/{FINGERPRINT}\.{file} in .* is not what was written"):
        check_backbone(Store(str(tmp_path)), FINGERPRINT, FACTS)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """A head and a backbone that nobody touched are read."""
    Store(str(tmp_path)).heads.write(HEAD.name, HEAD.to_bytes())
    Store(str(tmp_path)).backbones.write(FINGERPRINT, to_bytes(WEIGHTS), FACTS)
    assert stored_head(Store(str(tmp_path)), HEAD.name).name == HEAD.name
    assert backbone_files(Store(str(tmp_path)), FINGERPRINT)[1] == FACTS


def test_the_check_of_the_package_leaves_recipes_as_they_were() -> None:
    """A store from before the check had its setting finds its recipe again; switching it off is another recipe."""
    values = {"source": {"url": "photos"}, "store": {"url": "store"}}
    on, off = (Settings.model_validate({**values, "gate": {"serve_check": word}}) for word in (True, False))
    assert hash_settings(on) == hash_settings(Settings.model_validate(values)) != hash_settings(off)
