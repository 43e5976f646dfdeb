"""What a folder and an S3 bucket promise alike."""

from concurrent.futures import ThreadPoolExecutor
from email.header import Header
from pathlib import Path

import pytest

from configs.errors import PedigreeError, SettingsError
from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.objects import s3
from tasks.stores.objects.object_store import ObjectChangedError, open_bucket, read_url


def test_objects_are_listed_sorted_with_their_sizes(url: str) -> None:
    """A listing names every object once, sorted by key, whatever letters the keys are made of."""
    bucket = open_bucket(url)
    keys = ["poodle/white/2.jpg", "poodle/1.jpg", "пудель/ä b+c%20.jpg", "a.jpg"]
    for key in keys:
        bucket.create(key, key.encode())
    listed = list(bucket.entries())
    assert [entry.key for entry in listed] == sorted(keys)
    assert [entry.size for entry in listed] == [len(key.encode()) for key in sorted(keys)]
    assert [entry.key for entry in bucket.entries("poodle/")] == ["poodle/1.jpg", "poodle/white/2.jpg"]


@pytest.mark.parametrize("folders", [1000, 2])
@pytest.mark.parametrize("inside", ["", "/photos"])
@pytest.mark.parametrize("prefix", ["", "b/", "b"])
def test_a_listing_split_by_folders_is_the_same(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch, folders: int, inside: str, prefix: str
) -> None:
    """A long listing of an S3 bucket, split by folders or not, names each object once, sorted by key."""
    bucket = open_bucket(f"{s3_bucket}{inside}")
    keys = [f"b/{number}.jpg" for number in range(4)] + [f"d/{number}/x.jpg" for number in range(4)]
    keys += ["a.jpg", "a/1.jpg", "a/b/2.jpg", "a-b/1.jpg", "a0.jpg", "b.jpg", "b//1.jpg", "bc/1.jpg", "z.jpg"]
    keys += ["пудель/ä b+c%20.jpg", "~&<y>/'1\".jpg", "\U0001f436/1.jpg", "\ufffd/1.jpg", "c d/1.jpg"]
    for key in [*keys, "b/", "empty/"]:
        bucket.create(key, key.encode())
    expected = sorted(key for key in keys if key.startswith(prefix))
    unsplit = list(bucket.entries(prefix))
    assert [entry.key for entry in unsplit] == expected
    monkeypatch.setattr(s3, "_FOLDERS", folders)
    for page in range(1, 8):
        monkeypatch.setattr(s3, "_PAGE", page)
        for pages in (1, 2):
            monkeypatch.setattr(s3, "_PAGES", pages)
            assert list(bucket.entries(prefix)) == unsplit


def test_what_was_created_is_read_back(url: str) -> None:
    """An object's bytes come back as they were written, also with the ETag of its listing."""
    bucket = open_bucket(url)
    bucket.create("folder/one", b"\x00\xff" * 1000)
    assert bucket.read("folder/one", next(bucket.entries()).etag) == b"\x00\xff" * 1000


def test_an_object_is_hashed_a_little_at_a_time(url: str) -> None:
    """The hash is that of the bytes that lie there, of however many, and of what is gone nobody makes one up."""
    bucket = open_bucket(url)
    for size in (0, 1, 5 * 2**20 + 1):
        data = b"\x00\xff\r\n"[: size % 5 or 4] * (size // 4 + 1)
        bucket.create(f"folder/{size}", data)
        assert bucket.sha256(f"folder/{size}") == sha256_of_bytes(data)
    with pytest.raises(ObjectChangedError):
        bucket.sha256("folder/none")


def test_creating_twice_changes_nothing(url: str) -> None:
    """The second creation of a key says so, and leaves the first one's bytes."""
    bucket = open_bucket(url)
    assert bucket.create("ledger/1", b"first")
    assert not bucket.create("ledger/1", b"second")
    assert bucket.read("ledger/1") == b"first"


def test_of_many_creators_one_wins(url: str) -> None:
    """When many create the same key at once, exactly one is told that it did, and its bytes are there."""
    bucket = open_bucket(url)
    contents = [f"writer {number}".encode() * 100 for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        won = list(pool.map(lambda data: bucket.create("prize", data), contents))
    assert won.count(True) == 1
    assert bucket.read("prize") == contents[won.index(True)]
    assert [entry.key for entry in bucket.entries()] == ["prize"]


def test_a_changed_object_is_not_read_as_the_listed_one(url: str) -> None:
    """An object that is not the one listed any more is answered with Changed, and so is one that is gone."""
    bucket = open_bucket(url)
    bucket.create("key", b"listed")
    with pytest.raises(ObjectChangedError):
        bucket.read("key", "0-0-0")
    with pytest.raises(ObjectChangedError):
        bucket.read("no such key")


def test_metadata_is_that_of_the_listed_object(url: str) -> None:
    """Objects without metadata have none, and an object that is not the listed one is answered with Changed."""
    bucket = open_bucket(url)
    bucket.create("key", b"listed")
    assert bucket.metadata("key", next(bucket.entries()).etag) == {}
    with pytest.raises(ObjectChangedError):
        bucket.metadata("key", "0-0-0")
    with pytest.raises(ObjectChangedError):
        bucket.metadata("no such key", "0-0-0")


def test_s3_metadata_is_read(s3_bucket: str) -> None:
    """What somebody wrote beside an S3 object is read, names in lower case, other alphabets as they were meant."""
    import boto3

    written = {"Label": "pug", "coat": Header("пёстрый", "utf-8").encode()}
    name = s3_bucket.removeprefix("s3://")
    boto3.client("s3").put_object(Bucket=name, Key="1.jpg", Body=b"1", Metadata=written)
    bucket = open_bucket(s3_bucket)
    assert bucket.metadata("1.jpg", next(bucket.entries()).etag) == {"label": "pug", "coat": "пёстрый"}


def test_a_removed_object_is_gone(url: str) -> None:
    """A removed object is neither listed nor read, its name is free again, and removing it twice is harmless."""
    bucket = open_bucket(url)
    bucket.create("folder/one", b"1")
    bucket.remove("folder/one")
    bucket.remove("folder/one")
    assert list(bucket.entries()) == []
    assert bucket.create("folder/one", b"2")


def test_prefixes_keep_places_apart(url: str) -> None:
    """A place inside a place sees only its own objects, under keys of its own."""
    open_bucket(f"{url}/inner").create("one", b"1")
    open_bucket(url).create("innermost", b"2")
    assert [entry.key for entry in open_bucket(f"{url}/inner").entries()] == ["one"]


def test_one_file_is_read_by_its_address(url: str) -> None:
    """A single file can be named by one address, and a missing one is said to be missing."""
    open_bucket(url).create("weights.npz", b"weights")
    assert read_url(f"{url}/weights.npz") == b"weights"
    with pytest.raises(PedigreeError, match=r"There is no file .*other\.npz"):
        read_url(f"{url}/other.npz")


def test_a_missing_place_is_named(url: str) -> None:
    """A folder or bucket that does not exist is answered with its address and what to do."""
    with pytest.raises(PedigreeError, match=r"There is no (folder|bucket).*missing-place.*make it") as caught:
        open_bucket(url.replace("test-", "missing-place-") if url.startswith("s3") else f"{url}/missing-place").check()
    assert "\n" not in str(caught.value)


def test_unknown_kinds_of_places_are_refused() -> None:
    """An address that is neither a path, file:// nor s3:// is a wrong setting."""
    with pytest.raises(SettingsError, match="https://example"):
        open_bucket("https://example.org/photos")


def test_a_file_address_is_its_folder(tmp_path: Path) -> None:
    """A path and its file:/// address are the same place, also with a space in it."""
    folder = tmp_path / "my dogs"
    folder.mkdir()
    open_bucket(str(folder)).create("one", b"1")
    assert [entry.key for entry in open_bucket(folder.as_uri()).entries()] == ["one"]


def test_an_overwritten_file_gets_another_etag(tmp_path: Path) -> None:
    """A file that is written again, even with as many bytes, is listed as another object."""
    path = tmp_path / "one.jpg"
    path.write_bytes(b"before")
    before = next(open_bucket(str(tmp_path)).entries())
    path.unlink()
    path.write_bytes(b"behind")
    assert next(open_bucket(str(tmp_path)).entries()).identity != before.identity


def test_what_a_killed_writer_left_is_no_object(tmp_path: Path) -> None:
    """A half-written file of a process that died is neither listed nor in the way of the next writer."""
    (tmp_path / ".key.0123.partial").write_bytes(b"hal")
    bucket = open_bucket(str(tmp_path))
    assert list(bucket.entries()) == []
    assert bucket.create("key", b"whole")
