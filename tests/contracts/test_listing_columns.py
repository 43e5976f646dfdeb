"""A listing in columns is the listing, on a folder and on S3."""

import os
from pathlib import Path

import pytest

from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.stores.objects import s3
from tasks.stores.objects.object_store import open_bucket
from tests.listings import in_columns

KEYS = (
    *("a.jpg", "a-b/1.jpg", "a/1.jpg", "a/b/2.jpg", "b/1.jpg", "c d/1.jpg", "z+%2F&amp;.jpg"),
    *("пудель/ä b+c%20.jpg", "~&<y>/'1\".jpg", "\U0001f436/1.jpg", "\ufffd/1.jpg", "=;:@,$!()/1.jpg"),
    *(".Trash-1/a/1.jpg", "a/@eaDir/1.jpg/T.jpg", "@eaDir/2.jpg", "b/2.jpg.partial", "b/@eaDir/3.jpg.partial"),
)
ONLY_S3 = ("b//1.jpg", "b/", "empty/", "/lead.jpg", "d/./x.jpg", "d/../y.jpg", "tab\tx.jpg", "nl\nx", "b.partial/")


@pytest.mark.parametrize("prefix", ["", "a", "a/", "b/"])
def test_columns_say_what_entries_say(url: str, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """Keys, ETags, sizes, times, their order and what is passed over are the same, whole or split by folders."""
    bucket = open_bucket(url)
    for key in (*KEYS, *(ONLY_S3 if url.startswith("s3") else ())):
        bucket.create(key, key.encode())
    for page in (1000, 3):
        monkeypatch.setattr(s3, "_PAGE", page)
        monkeypatch.setattr(s3, "_PAGES", 1)
        for patterns in (None, ["c d"]):
            names = [None if patterns is None else SourceFilter(patterns) for _ in range(2)]
            listed = bucket.listing(prefix, names[0])
            assert listed.equals(in_columns(bucket.entries(prefix, names[1])))
            assert [name and name.counts() for name in names[:1]] == [name and name.counts() for name in names[1:]]
            assert listed.num_rows >= 1


def test_files_of_any_time_and_behind_links_are_listed_alike(tmp_path: Path) -> None:
    """Files from before 1970 and after 9999, with odd nanoseconds, links and pipes have the same lines in columns."""
    for place, nanoseconds in enumerate([-1, 0, 1_700_000_000_123_456_500, 1_700_000_000_999_999_999, 3 * 10**20]):
        file = tmp_path / f"{place}.jpg"
        file.write_bytes(b"1")
        try:
            os.utime(file, ns=(nanoseconds, nanoseconds))
        except (OverflowError, OSError):
            os.utime(file, (0, -(2**40)))
    (tmp_path / "link.jpg").symlink_to(tmp_path / "0.jpg")
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "none.jpg")
    (tmp_path / "circle.jpg").symlink_to(tmp_path / "circle.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / os.fsdecode(b"\xff.jpg")).write_bytes(b"1")
    bucket = open_bucket(str(tmp_path))
    for names in (None, SourceFilter()):
        assert bucket.listing(names=names).equals(in_columns(bucket.entries(names=names)))


def test_an_empty_place_has_an_empty_listing(url: str) -> None:
    """Where nothing lies, the listing has its columns and no row."""
    listing = open_bucket(url).listing(names=SourceFilter())
    assert listing.equals(in_columns([]))
