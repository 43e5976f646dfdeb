"""Originals that stay in a source which keeps versions, on a real server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import boto3
import pytest

from configs.errors import PedigreeError
from tasks.catalog.images import forget
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.crops import PARTS_BYTES
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.domain.images.near_duplicates import HASH_BYTES
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.objects.originals import LostOriginalError, parse_reference, read_kept, require_versions
from tasks.stores.objects.s3_client import s3_client
from tasks.stores.store import Store, copy_images

KEYS = ("pug/1.jpg", "пудель/ä b+c%20.jpg", "b//1.jpg")


@pytest.fixture
def source(s3_bucket: str) -> Iterator[str]:
    """Address of a source in a bucket that keeps versions, with an object under each key."""
    bucket = s3_bucket.removeprefix("s3://")
    s3_client.cache_clear()
    boto3.client("s3").put_object(Bucket=bucket, Key="in/old.jpg", Body=b"old")
    _switch(bucket, "Enabled")
    for key in KEYS:
        boto3.client("s3").put_object(Bucket=bucket, Key=f"in/{key}", Body=key.encode())
    yield f"{s3_bucket}/in"
    s3_client.cache_clear()


def _switch(bucket: str, status: Literal["Enabled", "Suspended"]) -> None:
    boto3.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def _info(data: bytes) -> ImageInfo:
    properties = ImageProperties(0.5, 0.5, 0.5, 0.5)
    return ImageInfo(sha256_of_bytes(data), 9, 9, "JPEG", bytes(HASH_BYTES), properties, bytes(PARTS_BYTES))


def _stored(url: str, source: str) -> tuple[Store, list[str]]:
    """Store all objects of the source by reference, and one image more by its bytes."""
    store, bucket = Store(url), open_bucket(source)
    store.claim_format()
    store.images.add([(_info(b"copied"), b"copied")])
    store.claim_references()
    for entry in bucket.entries():
        kept = read_kept(bucket, entry.key, entry.etag, by_reference=True)
        store.images.add([(_info(kept.data), kept.stored)])
    return store, [sha256_of_bytes(data) for data in (b"copied", b"old", *(key.encode() for key in KEYS))]


def test_a_store_holds_some_images_and_refers_to_others(source: str, tmp_path: Path) -> None:
    """Bytes come from store and source alike, whatever was uploaded over them or removed since, and none lie here."""
    store, images = _stored(str(tmp_path / "store"), source)
    bucket, client = source.removeprefix("s3://").partition("/")[0], boto3.client("s3")
    client.put_object(Bucket=bucket, Key=f"in/{KEYS[0]}", Body=b"another")
    client.delete_object(Bucket=bucket, Key=f"in/{KEYS[1]}")
    assert [data for _, data in store.images.read(images)] == [b"copied", b"old", *(key.encode() for key in KEYS)]
    assert dict(store.images.salvage(images)) == dict(store.images.read(images))
    kept = [parse_reference(data) for _, data in store.images.read_stored(images)]
    assert [reference and reference.key for reference in kept] == [None, "old.jpg", *KEYS]
    assert kept[1]
    assert kept[1].version == "null"
    copy = Store(str(tmp_path / "copy"))
    copy_images(store, copy, images)
    assert list(copy.images.read(images)) == list(store.images.read(images))
    assert list(copy.images.read_stored(images)) == list(store.images.read_stored(images))


def test_an_original_that_the_bucket_lost_is_named(source: str, tmp_path: Path) -> None:
    """A version that is gone, and bytes that are another image's, are told with key and version; others are read."""
    store, images = _stored(str(tmp_path / "store"), source)
    bucket = source.removeprefix("s3://").partition("/")[0]
    reference = parse_reference(dict(store.images.read_stored(images))[images[2]])
    assert reference
    boto3.client("s3").delete_object(Bucket=bucket, Key=f"in/{KEYS[0]}", VersionId=reference.version)
    wrong = _info(b"never uploaded")
    store.images.add([(wrong, reference.__class__(source, KEYS[2], *_identity(store, images[4])).to_bytes())])
    answers = dict(store.images.salvage([*images, wrong.image]))
    assert [image for image, data in answers.items() if isinstance(data, LostOriginalError)] == [images[2], wrong.image]
    assert f"{KEYS[0]}, version {reference.version}" in str(answers[images[2]])
    assert "another SHA-256" in str(answers[wrong.image])
    with pytest.raises(LostOriginalError, match="is gone from its source"):
        list(store.images.read(images))


def test_a_damaged_reference_is_a_damaged_image(tmp_path: Path) -> None:
    """What begins like a reference and is none has not the image's hash, and is told as damage of the store."""
    store = Store(str(tmp_path / "store"))
    store.images.add([(_info(b"gone"), b'pedigree original 1\n{"source": "s3://')])
    with pytest.raises(PedigreeError, match=r"is damaged in the store"):
        list(store.images.read([_info(b"gone").image]))


def _identity(store: Store, image: str) -> tuple[str, str]:
    reference = parse_reference(dict(store.images.read_stored([image]))[image])
    assert reference
    return reference.version, reference.etag


def test_forgetting_says_where_the_original_lies(source: str, tmp_path: Path) -> None:
    """An image that the store only refers to is removed here alone, and where its bytes still lie is told."""
    store, images = _stored(str(tmp_path / "store"), source)
    removed = forget(store, images[2])
    assert removed.original.startswith(f"{source}/{KEYS[0]}, version ")
    assert forget(store, images[0]).original == ""
    assert store.images.stored() == {images[1], *images[3:]}
    assert open_bucket(source).read(KEYS[0]) == KEYS[0].encode()


def test_a_former_pedigree_is_told_that_the_store_is_newer(source: str, tmp_path: Path) -> None:
    """A store with references has a format that former ones refuse, and checksums that are whole; twice is as once."""
    store, _ = _stored(str(tmp_path / "store"), source)
    store.claim_references()
    store.check_format()
    assert store.objects.read("format.json") == b'{"format": 4}'
    assert list(store.checksums.altered_files()) == []


def test_a_source_that_keeps_no_versions_is_refused(source: str, tmp_path: Path) -> None:
    """A folder, and a bucket whose versioning is off or suspended, are refused by a sentence that says what to do."""
    require_versions(source)
    _switch(source.removeprefix("s3://").partition("/")[0], "Suspended")
    for url in (source, str(tmp_path)):
        with pytest.raises(PedigreeError, match=r"store\.images is reference, and .*set store\.images to copy, or"):
            require_versions(url)
