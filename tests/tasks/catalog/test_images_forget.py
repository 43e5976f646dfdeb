"""Images taken back from a store with versions, features and a ledger, on a folder and on S3."""

from pathlib import Path

import numpy as np
import pytest

from configs.errors import AmbiguousError, PedigreeError, SettingsError
from tasks.catalog.export import checkout
from tasks.catalog.images import forget
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tests.flows.stored_runs import photographs, write_run
from tests.tasks.catalog.test_versions import quiet


def holding(url: str, needle: bytes) -> set[str]:
    """Name the tables and folders of a store whose files hold these bytes."""
    bucket = open_bucket(url)
    return {entry.key.split("/data/")[0] for entry in bucket.entries() if needle in bucket.read(entry.key)}


def test_no_byte_of_a_forgotten_image_stays(url: str, photos: Path, tmp_path: Path) -> None:
    """Neither its bytes nor its features are in any file afterwards; its version says why it cannot be rebuilt."""
    objects = photographs(photos, breeds=2, images=6)
    version = write_run(url, objects)
    gone, *remaining = Store(url).manifests.read(version)
    vectors = np.random.default_rng(0).normal(size=(1 + len(remaining), 64)).astype(np.float32)
    Store(url).features("net", 64).add([gone.image, *(row.image for row in remaining)], vectors)
    data = objects[gone.key]
    picture, feature = data[len(data) // 2 :][:64], vectors[0].tobytes()
    assert (holding(url, picture), holding(url, feature)) == ({"images.lance"}, {"features/net.lance"})

    forgotten = forget(Store(url), gone.image)
    assert (forgotten.image, forgotten.versions, forgotten.runs, forgotten.features) == (
        gone.image,
        (version,),
        ("run",),
        2,
    )
    assert holding(url, picture) == holding(url, feature) == set()
    assert holding(url, objects[remaining[0].key][-64:]) == {"images.lance"}
    assert holding(url, vectors[1].tobytes()) == {"features/net.lance"}
    with pytest.raises(PedigreeError, match=f"used an image that was removed for good \\({gone.image[:12]}") as caught:
        checkout(Store(url), version, tmp_path / "out", quiet)
    assert str(caught.value).count(". ") == 0
    assert forget(Store(url), gone.image).versions == (version,)


def test_twelve_digits_name_an_image(tmp_path: Path, photos: Path) -> None:
    """What cannot be undone takes twelve digits that fit one image; fewer, others, and ambiguous ones do nothing."""
    store = Store(str(tmp_path / "store"))
    write_run(store.url, photographs(photos, breeds=2, images=6))
    image = min(store.images.stored())
    twin = f"{image[:20]}{'0' * 44}"
    store.tombstones.write(twin, "2026-11-01T00:00:00+00:00")
    with pytest.raises(AmbiguousError, match=rf"{image[:12]} fits 2 images, .*{twin[:21]}"):
        forget(store, image[:12])
    for word in (image[:11], "0" * 12, "poodle/1.jpg"):
        with pytest.raises(SettingsError, match=r"is no image|holds no image"):
            forget(store, word)
    assert image in store.images.stored()
    assert forget(store, image[:24].upper()).image == image
    assert image not in store.images.stored()
