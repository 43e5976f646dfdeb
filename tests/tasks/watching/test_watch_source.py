"""Looks at a real folder and a real bucket, while people upload."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import boto3

from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tests.listings import in_columns

UPLOADS = 60


def upload(url: str, key: str) -> None:
    """Put a small object into a folder or a bucket."""
    if url.startswith("s3://"):
        boto3.client("s3").put_object(Bucket=url.removeprefix("s3://"), Key=key, Body=key.encode())
    else:
        open_bucket(url).create(key, key.encode())


def test_what_is_uploaded_during_a_look_is_neither_missed_nor_counted_twice(url: str, tmp_path: Path) -> None:
    """While objects arrive one after the other, each is new to exactly one of the retrainings that answer listings."""
    store = str(tmp_path / "store")
    counted: Counter[str] = Counter()

    def retraining() -> None:
        taken = datetime.now(UTC).isoformat()
        listed = in_columns(open_bucket(url).entries())
        counted.update(
            entry.key
            for entry in Store(store).snapshots.since(url, Store(store).processed_snapshots.last(url), listed).came
        )
        Store(store).snapshots.record(url, taken, listed)
        Store(store).processed_snapshots.write(url, taken, "unchanged: nothing new to learn from")

    with ThreadPoolExecutor(1) as people:
        uploads = [people.submit(upload, url, f"{'ab'[n % 2]}/{n * 37 % UPLOADS:02}") for n in range(UPLOADS)]
        while not all(upload.done() for upload in uploads):
            retraining()
    for future in uploads:
        future.result()
    retraining()
    assert len(counted) == UPLOADS
    assert set(counted.values()) == {1}
    listed = in_columns(open_bucket(url).entries())
    last = Store(store).snapshots.since(url, Store(store).processed_snapshots.last(url), listed)
    assert (len(last.gone), len(last.came)) == (0, 0)


def test_a_retraining_that_died_has_answered_nothing(url: str, tmp_path: Path) -> None:
    """A listing that was recorded by a run which never came to its end stays new, until one that ends answers it."""
    photos, taken = str(tmp_path / "photos"), "2026-11-25T02:00:00.123456+00:00"
    upload(photos, "a/1")
    listed = in_columns(open_bucket(photos).entries())
    Store(url).snapshots.record(photos, taken, listed)
    assert Store(url).processed_snapshots.last(photos) == ""
    assert [entry.key for entry in Store(url).snapshots.since(photos, "", listed).came] == ["a/1"]
    for moment in (taken, "2026-11-24T02:00:00+00:00"):
        Store(url).processed_snapshots.write(photos, moment, "unchanged: nothing new to learn from")
    assert Store(url).processed_snapshots.last(photos) == taken
    assert len(Store(url).snapshots.since(photos, taken, listed).came) == 0
