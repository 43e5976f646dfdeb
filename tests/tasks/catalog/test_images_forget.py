"""Images taken back from a store with versions, features and a ledger, on a folder and on S3."""

from pathlib import Path

import numpy as np
import pytest

from configs.errors import PedigreeError
from tasks.catalog.export import checkout
from tasks.catalog.images import forget
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tests.flows.made_store import night, photographs
from tests.tasks.catalog.test_versions import quiet


def holding(place: str, needle: bytes) -> set[str]:
    """Name the tables and folders of a store whose files hold these bytes."""
    bucket = open_bucket(place)
    return {one.key.split("/data/")[0] for one in bucket.entries() if needle in bucket.read(one.key)}


def test_no_byte_of_a_forgotten_image_stays(place: str, photos: Path, tmp_path: Path) -> None:
    """Neither its bytes nor its features are in any file afterwards; its version says why it cannot be rebuilt."""
    objects = photographs(photos, breeds=2, images=6)
    version = night(place, objects)
    gone, *others = Store(place).manifests.read(version)
    vectors = np.random.default_rng(0).normal(size=(1 + len(others), 64)).astype(np.float32)
    Store(place).features("net", 64).add([gone.image, *(row.image for row in others)], vectors)
    data = objects[gone.key]
    picture, feature = data[len(data) // 2 :][:64], vectors[0].tobytes()
    assert (holding(place, picture), holding(place, feature)) == ({"images.lance"}, {"features/net.lance"})

    told = forget(place, gone.image)
    assert (told.image, told.versions, told.runs, told.features) == (gone.image, (version,), ("run",), 2)
    assert holding(place, picture) == holding(place, feature) == set()
    assert holding(place, objects[others[0].key][-64:]) == {"images.lance"}
    assert holding(place, vectors[1].tobytes()) == {"features/net.lance"}
    with pytest.raises(PedigreeError, match=f"used an image that was removed for good \\({gone.image[:12]}") as caught:
        checkout(place, version, tmp_path / "out", quiet)
    assert str(caught.value).count(". ") == 0
    assert forget(place, gone.image).versions == (version,)
