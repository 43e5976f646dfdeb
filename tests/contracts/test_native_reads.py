"""The native client reads what boto3 reads, on a real server; where it cannot, boto3 does."""

from collections.abc import Iterator

import boto3
import pytest

from tasks.stores.objects import s3_native
from tasks.stores.objects.object_store import ObjectChangedError, open_bucket
from tasks.stores.objects.s3_client import s3_client
from tests.servers import Ceph

NATIVE = (
    *("a.jpg", "пудель/ä b+c%20.jpg", "~&<y>/'1\".jpg", "\U0001f436/1.jpg", "c d/1.jpg", "a*b?c[d]{e}|^`#.jpg"),
    *("\\back.jpg", "trail /x ", "%", "%2F/x", "=;:@,$!()"),
)
BY_BOTO3 = ("b//1.jpg", "b/", "/lead.jpg", "d/./x.jpg", "d/../y.jpg", "tab\tx.jpg", "nl\nx", "\x7fdel")


@pytest.fixture
def bucket(s3_bucket: str) -> Iterator[str]:
    """Name of an empty bucket, which no client knows yet."""
    s3_client.cache_clear()
    yield s3_bucket.removeprefix("s3://")
    s3_client.cache_clear()


@pytest.mark.parametrize("prefix", ["", "in/пу д%/"])
def test_every_key_is_read_as_it_is(bucket: str, prefix: str) -> None:
    """Keys in any alphabet, with spaces, '%' or double slashes are read whole, with their ETag and without."""
    objects = open_bucket(f"s3://{bucket}/{prefix}")
    for key in (*NATIVE, *BY_BOTO3):
        boto3.client("s3").put_object(Bucket=bucket, Key=prefix + key, Body=key.encode())
    entries = {entry.key: entry for entry in objects.entries()}
    for key in (*NATIVE, *BY_BOTO3):
        assert objects.read(key) == key.encode()
        assert key.endswith("/") or objects.read(key, entries[key].etag) == key.encode()
    for key in NATIVE:
        fetched = s3_native.fetch(s3_client(), bucket, prefix + key, entries[key].etag)
        assert fetched == s3_native.Fetched(key.encode(), "")
    assert [s3_native.fetch(s3_client(), bucket, prefix + key) for key in BY_BOTO3] == [None] * len(BY_BOTO3)


def test_another_object_than_the_listed_one_is_never_read(bucket: str) -> None:
    """With an ETag the server itself refuses another content, and whoever reads learns that it changed."""
    objects = open_bucket(f"s3://{bucket}")
    objects.create("a.jpg", b"one")
    etag = next(objects.entries()).etag
    assert objects.read("a.jpg", etag) == b"one"
    boto3.client("s3").put_object(Bucket=bucket, Key="a.jpg", Body=b"two")
    assert s3_native.fetch(s3_client(), bucket, "a.jpg", etag) is None
    with pytest.raises(ObjectChangedError):
        objects.read("a.jpg", etag)
    objects.remove("a.jpg")
    with pytest.raises(ObjectChangedError):
        objects.read("a.jpg")


def test_versions_are_told_and_read(bucket: str) -> None:
    """In a bucket that keeps versions a read says which one it is, and a former one is read by its id."""
    client = boto3.client("s3")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket=bucket, Key="a.jpg", Body=b"one")["VersionId"]
    second = client.put_object(Bucket=bucket, Key="a.jpg", Body=b"two")["VersionId"]
    assert s3_native.fetch(s3_client(), bucket, "a.jpg") == s3_native.Fetched(b"two", second)
    assert s3_native.fetch(s3_client(), bucket, "a.jpg", version=first) == s3_native.Fetched(b"one", first)


def test_compressed_objects_stay_as_they_are(bucket: str) -> None:
    """An object that says it is compressed comes as it was stored, and its hash is that of these bytes."""
    boto3.client("s3").put_object(Bucket=bucket, Key="a.gz", Body=b"\x1f\x8bno", ContentEncoding="gzip")
    fetched = s3_native.fetch(s3_client(), bucket, "a.gz")
    assert fetched
    assert fetched.data == open_bucket(f"s3://{bucket}").read("a.gz") == b"\x1f\x8bno"


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_both_styles_of_addresses_are_boto3s(
    ceph: Ceph, bucket: str, monkeypatch: pytest.MonkeyPatch, style: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A profile's addressing style decides how a bucket is named, for both clients alike."""
    config = tmp_path_factory.mktemp("aws") / "config"
    config.write_text(f"[profile dogs]\nregion = us-east-1\ns3 =\n  addressing_style = {style}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "dogs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", ceph.endpoint.replace("127.0.0.1", "s3.localhost"))
    s3_client.cache_clear()
    address = s3_native._endpoint(s3_client(), bucket)
    port = ceph.endpoint.rpartition(":")[2]
    virtual = (f"http://{bucket}.s3.localhost:{port}", True)
    assert address == (virtual if style == "virtual" else (f"http://s3.localhost:{port}", False))
