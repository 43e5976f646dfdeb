"""What the store promises of rejections, on a folder and on S3."""

from dataclasses import replace

import pyarrow as pa

from tasks.domain.images.rejections import Circumstances, Reason, Rejection
from tasks.domain.ingestion.source_objects import Entry
from tasks.stores.store import Store
from tests.listings import in_columns

SOURCE = "s3://photos"
TODAY = Circumstances(10, 100, 32, "decoders", "2026-11-01T02:00:00+00:00")


def entry(key: str, etag: str = "1") -> Entry:
    """Make an entry of a listing."""
    return Entry(key, etag, 10, "", "2026-11-01T00:00:00+00:00")


def test_a_rejection_waits_for_its_cause(url: str) -> None:
    """An object is pending again when what its rejection hangs on has changed; the latest answer about it stands."""
    store = Store(url).snapshots
    store.record(SOURCE, "monday", in_columns([entry("big"), entry("cut"), entry("fine")]))
    store.add_contents(SOURCE, [(entry("fine"), "image")])
    big, cut = Rejection(Reason.TOO_MANY_BYTES, "too big"), Rejection(Reason.DAMAGED, "cut short")
    store.add_rejects(SOURCE, [(entry("big"), big), (entry("cut"), cut)], TODAY)
    assert list(store.pending(SOURCE, circumstances=TODAY)) == []
    assert list(store.pending(SOURCE, circumstances=replace(TODAY, max_bytes=20))) == [entry("big")]
    assert list(store.pending(SOURCE, circumstances=replace(TODAY, decoders="new"))) == [entry("cut")]
    assert list(store.pending(SOURCE)) == []
    still = Rejection(Reason.TOO_MANY_PIXELS, "still too big")
    store.add_rejects(SOURCE, [(entry("big"), still)], replace(TODAY, max_bytes=20))
    assert list(store.pending(SOURCE, circumstances=replace(TODAY, max_bytes=30))) == []
    assert store.rejected(SOURCE) == {"big": still, "cut": cut}


def test_an_object_that_becomes_an_image_is_no_reject_any_more(url: str) -> None:
    """Once its bytes were read well an object is neither rejected nor pending, whatever changes afterwards."""
    store = Store(url).snapshots
    store.record(SOURCE, "monday", in_columns([entry("a")]))
    store.add_rejects(SOURCE, [(entry("a"), Rejection(Reason.TOO_MANY_BYTES, "too big"))], TODAY)
    store.add_contents(SOURCE, [(entry("a"), "image")])
    assert store.rejected(SOURCE) == {}
    assert list(store.pending(SOURCE, circumstances=replace(TODAY, max_bytes=20))) == []
    assert store.release(SOURCE, list(Reason)) == {}


def test_a_person_releases_what_was_rejected_for_a_reason(url: str) -> None:
    """What is released is pending again and stays named until then; other reasons and former objects stay."""
    store = Store(url).snapshots
    store.record(SOURCE, "monday", in_columns([entry("a"), entry("b"), entry("c")]))
    cut, empty = Rejection(Reason.DAMAGED, "cut short"), Rejection(Reason.EMPTY, "no bytes")
    store.add_rejects(SOURCE, [(entry("a"), cut), (entry("b"), empty), (entry("c"), cut)], TODAY)
    store.record(SOURCE, "tuesday", in_columns([entry("a"), entry("b"), entry("c", "2")]))
    store.add_contents(SOURCE, [(entry("c", "2"), "image")])
    assert store.release(SOURCE, [Reason.DAMAGED]) == {Reason.DAMAGED: 1}
    assert list(store.pending(SOURCE, circumstances=TODAY)) == [entry("a")]
    assert store.rejected(SOURCE) == {"a": cut, "b": empty}
    store.add_rejects(SOURCE, [(entry("a"), cut)], TODAY)
    assert list(store.pending(SOURCE, circumstances=TODAY)) == []


def test_rejections_of_an_older_pedigree_are_read_and_go_on(url: str) -> None:
    """A table without circumstances reads as before, what is not for good is due once, and new rows have them."""
    fields = [("source", pa.string()), ("key", pa.string()), ("etag", pa.string()), ("size", pa.int64())]
    words = [("version", pa.string()), ("reason", pa.string()), ("detail", pa.string())]
    old = Store(url).table("rejects", pa.schema([*fields, *words]))
    common = {"source": SOURCE, "etag": "1", "size": 10, "version": "", "detail": "since long"}
    old.append([{**common, "key": "big", "reason": "too-many-bytes"}, {**common, "key": "none", "reason": "empty"}])
    store = Store(url).snapshots
    store.record(SOURCE, "monday", in_columns([entry("big"), entry("none")]))
    assert list(store.pending(SOURCE)) == []
    assert list(store.pending(SOURCE, circumstances=TODAY)) == [entry("big")]
    later = Rejection(Reason.TOO_MANY_BYTES, "still too big")
    store.add_rejects(SOURCE, [(entry("big"), later)], TODAY)
    assert list(store.pending(SOURCE, circumstances=TODAY)) == []
    assert store.rejected(SOURCE) == {"big": later, "none": Rejection(Reason.EMPTY, "since long")}
    old.append([{**common, "key": "late", "reason": "damaged"}])
    assert len(store.rejects(SOURCE)) == 3
