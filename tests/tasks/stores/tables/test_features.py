"""Features that do not belong together are refused, and many come back in their places."""

import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from configs.errors import PedigreeError
from tasks.stores.store import Store
from tasks.stores.tables.features import FeatureStore

NAMES = [f"image-{number:04}" for number in range(1500)]
VECTORS = np.random.default_rng(0).normal(size=(1500, 3)).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """Store of 1,500 vectors that came in three commits."""
    store = Store(str(tmp_path)).features("net", 3)
    for start in range(0, 1500, 500):
        store.add(NAMES[start : start + 500], VECTORS[start : start + 500])
    return store


@pytest.mark.parametrize("count", [1500, 1000, 20, 0])
def test_many_and_few_come_back_as_asked(store: FeatureStore, count: int) -> None:
    """Whether most of the table is asked for or little, and an image twice, each vector lies at its image's place."""
    chosen = np.random.default_rng(1).permutation(1500)[:count]
    chosen = np.append(chosen, chosen[:3])
    assert np.array_equal(store.read([NAMES[number] for number in chosen]), VECTORS[chosen])


def test_a_missing_image_is_named(store: FeatureStore) -> None:
    """What was never embedded is no row of zeros but a sentence."""
    with pytest.raises(
        PedigreeError, match="lacks features of image 'image-9999' under backbone net: start the run again"
    ):
        store.read(["image-0001", "image-9999"])


def test_a_removed_image_moves_no_other(store: FeatureStore) -> None:
    """After one image was forgotten the others still have their own vectors."""
    store._table().remove("image-0003")
    remaining = [number for number in range(1500) if number != 3]
    assert store.stored() == {NAMES[number] for number in remaining}
    assert np.array_equal(store.read([NAMES[number] for number in remaining]), VECTORS[remaining])


@pytest.mark.parametrize(("precision", "size"), [("float32", 4), ("float16", 2)])
def test_precision_decides_the_space(tmp_path: Path, precision: Literal["float32", "float16"], size: int) -> None:
    """Each number takes as many bytes as the setting says, and is read as float32 by whoever does not know it."""
    rounded = VECTORS.astype(precision).astype(np.float32)
    Store(str(tmp_path)).features("net", 3, precision).add(NAMES, rounded)
    stored = Store(str(tmp_path)).features("net", 3)._table().stored_schema()
    assert stored is not None
    assert stored.field("vector").type.value_type.bit_width == 8 * size
    vectors = Store(str(tmp_path)).features("net", 3).read(NAMES)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, rounded)


def test_features_of_another_width_are_refused(store: FeatureStore) -> None:
    """A table of three numbers an image is neither read nor added to as one of four."""
    other = Store(store.objects.url).features("net", 4)
    for use in (other.stored, lambda: other.add(["x"], np.ones((1, 4), np.float32)), lambda: other.read(NAMES[:1])):
        with pytest.raises(PedigreeError, match=r"holds 3 numbers an image, and this backbone makes 4: move it away"):
            use()


def test_features_of_another_backbone_are_refused(store: FeatureStore, tmp_path: Path) -> None:
    """A table that was put under another backbone's name does not pass for that one's."""
    shutil.copytree(tmp_path / "features" / "net.lance", tmp_path / "features" / "other.lance")
    with pytest.raises(PedigreeError, match="holds features of backbone net, which is another one"):
        Store(store.objects.url).features("other", 3).stored()


def test_features_that_were_written_apart_read_like_those_that_were_added(tmp_path: Path) -> None:
    """Fragments of features, committed once, give the same bits as features that are added, with their checksums."""
    vectors = np.arange(8, dtype=np.float32).reshape(2, 4)
    apart, added = (Store(str(tmp_path / name)).features("f" * 64, 4) for name in ("apart", "added"))
    fragments = [text for index in range(2) for text in apart.write_fragments([str(index)], vectors[index : index + 1])]
    assert apart.stored() == set()
    assert apart.commit_fragments(fragments) == 2
    added.add(["0", "1"], vectors)
    assert apart.read(["1", "0"]).tobytes() == added.read(["1", "0"]).tobytes() == vectors[::-1].tobytes()
