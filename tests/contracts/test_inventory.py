"""S3 Inventory on a real server: what it tells is the listing, and whatever is not certain is refused."""

import csv
import gzip
import hashlib
import io
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from inspect import unwrap
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import boto3
import pyarrow as pa
import pytest
from pyarrow import parquet

from configs.errors import PedigreeError, SettingsError
from configs.load import parse_settings
from configs.sections import Source
from flows.cli.tables import render_outcome
from tasks.datasets import assemble, label
from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.domain.runs.results import RunData, summarize_untrained_run
from tasks.ingestion import ingest, snapshot
from tasks.runs.look import look, note_quiet_run
from tasks.stores.objects.inventory import read_inventory
from tasks.stores.objects.object_store import list_source, open_bucket
from tests.tasks.stores.files.test_known_steps import NoTwoAlike

KEYS = ("a b/1.jpg", "a/1.jpg", "a%2F+b/ü.jpg", "b//1.jpg", "b/", "c/@eaDir/1.jpg", "\U0001f436/1.jpg", "z&<>.jpg")
FIELDS = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
PARQUET = (
    "message s3.inventory {  required binary bucket (UTF8);  required binary key (UTF8);  optional binary version_id "
    "(UTF8);  optional boolean is_latest;  optional boolean is_delete_marker;  optional int64 size;  optional int64 "
    "last_modified_date (TIMESTAMP(MILLIS,true));  optional binary e_tag (UTF8);  optional binary storage_class "
    "(UTF8);}"
)
WEEK = timedelta(days=8)
Write = Callable[..., str]


@pytest.fixture(scope="module")
def photos_bucket(ceph: object) -> str:
    """Name of a bucket with objects below ``in/`` and beside it, of which some were written over or deleted."""
    assert ceph
    name, client = f"test-{uuid.uuid4().hex[:16]}", boto3.client("s3")
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key in ("in/gone.jpg", "in/a/1.jpg", *(f"in/{key}" for key in KEYS), "other/1.jpg", "in2/1.jpg"):
        client.put_object(Bucket=name, Key=key, Body=key.encode())
    client.delete_object(Bucket=name, Key="in/gone.jpg")
    return name


@pytest.fixture
def write(photos_bucket: str, s3_bucket: str) -> Write:
    """Write an inventory of the bucket as S3 does, and return the address of its folder."""
    rows = list(_rows(photos_bucket))

    def written(form: str = "Parquet", begun: datetime | None = None, **changes: object) -> str:
        begun = begun or datetime.now(UTC)
        folder, client = "inv/photos/daily", boto3.client("s3")
        files = []
        for part in (rows[::2], rows[1::2]):
            key = f"{folder}/data/{uuid.uuid4()}.{'parquet' if form == 'Parquet' else 'csv.gz'}"
            data = (_parquet if form == "Parquet" else _csv)(part)
            client.put_object(Bucket=s3_bucket.removeprefix("s3://"), Key=key, Body=data)
            files.append(
                {"key": key, "size": len(data), "MD5checksum": hashlib.md5(data, usedforsecurity=False).hexdigest()}
            )
        manifest = {
            "sourceBucket": photos_bucket,
            "destinationBucket": s3_bucket.replace("s3://", "arn:aws:s3:::"),
            "version": "2016-11-30",
            "creationTimestamp": str(int(begun.timestamp() * 1000)),
            "fileFormat": form,
            "fileSchema": PARQUET if form == "Parquet" else FIELDS,
            "files": files,
            **changes,
        }
        data = json.dumps(manifest).encode()
        dated, place = f"{folder}/{begun:%Y-%m-%dT%H-%MZ}", s3_bucket.removeprefix("s3://")
        checksum = hashlib.md5(data, usedforsecurity=False).hexdigest()
        client.put_object(Bucket=place, Key=f"{dated}/manifest.json", Body=data)
        client.put_object(Bucket=place, Key=f"{dated}/manifest.checksum", Body=checksum.encode())
        return f"{s3_bucket}/{folder}"

    return written


def _rows(bucket: str) -> Iterator[dict[str, Any]]:
    answer = boto3.client("s3").list_object_versions(Bucket=bucket)
    rows: Any = [*((row, False) for row in answer["Versions"]), *((row, True) for row in answer["DeleteMarkers"])]
    for row, is_marker in rows:
        yield {
            "bucket": bucket,
            "key": row["Key"],
            "version_id": row["VersionId"],
            "is_latest": row["IsLatest"],
            "is_delete_marker": is_marker,
            "size": row.get("Size"),
            "last_modified_date": row["LastModified"],
            "e_tag": row.get("ETag", "").strip('"') or None,
            "storage_class": "STANDARD",
        }


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    kinds = {"is_latest": pa.bool_(), "is_delete_marker": pa.bool_(), "size": pa.int64()}
    kinds["last_modified_date"] = pa.timestamp("ms", "UTC")
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in rows[0]])
    parquet.write_table(pa.Table.from_pylist(rows, schema), file)
    return file.getvalue()


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    for row in rows:
        told = {**row, "key": quote_plus(row["key"], safe="/")}
        told |= {name: str(row[name]).lower() for name in ("is_latest", "is_delete_marker")}
        told["last_modified_date"] = (
            f"{row['last_modified_date'].replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
        )
        csv.writer(text, quoting=csv.QUOTE_ALL).writerow(["" if value is None else value for value in told.values()])
    return gzip.compress(text.getvalue().encode())


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
@pytest.mark.parametrize("prefix", ["/in", ""])
def test_an_inventory_tells_what_a_listing_tells(write: Write, photos_bucket: str, form: str, prefix: str) -> None:
    """Of all versions the present ones are told, with the keys, ETags and times of a listing, so nothing looks new."""
    address, source = write(form), f"s3://{photos_bucket}{prefix}"
    settings = Source(url=source, listing="inventory", inventory=address)
    names = SourceFilter(), SourceFilter()
    told, listed = list_source(settings, names[0]), list_source(Source(url=source), names[1])
    assert told.rows.equals(listed.rows)
    assert told.rows.num_rows == (6 if prefix else 8)
    assert (names[0].counts(), listed.inventory) == (names[1].counts(), "")
    assert datetime.now(UTC) - datetime.fromisoformat(told.inventory) < timedelta(minutes=2)


def test_the_summary_says_how_far_behind_it_is(
    write: Write, photos_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the terminal, in JSON and in Prefect a run says which inventory told it, also one that finds nothing new."""
    monkeypatch.setattr(ingest, "Decoder", NoTwoAlike)
    address = write(begun=datetime.now(UTC) - timedelta(hours=20))
    given = {
        "source": {"url": f"s3://{photos_bucket}/in", "listing": "inventory", "inventory": address},
        "store": {"url": str(tmp_path / "store")},
        "tracking": {"url": f"sqlite:///{tmp_path}/mlflow.db"},
    }
    settings = parse_settings(given, "a test")
    listed = unwrap(snapshot.snapshot.fn)(settings.source, settings.store)
    ingested = unwrap(ingest.ingest.fn)(listed, settings)
    labels = unwrap(label.label.fn)(ingested, settings.labels, settings.store)
    data = RunData(ingested, labels, unwrap(assemble.assemble.fn)(labels, settings, force=False))
    outcome = summarize_untrained_run(data, {})
    sentence = f"told by the inventory of {listed.inventory[:16]} (UTC), newer photographs come with the next one"
    assert outcome.to_dict()["inventory"] == listed.inventory
    assert str(render_outcome(outcome)).splitlines()[-1] == sentence
    assert sentence in data.sentences()
    note_quiet_run("rebuild", listed, data, settings)
    write()
    found = look("rebuild", settings)
    assert found.quiet
    assert found.quiet.data.ingested.inventory == found.listing.facts.inventory > listed.inventory


def test_the_newest_whole_inventory_counts(write: Write, photos_bucket: str, s3_bucket: str) -> None:
    """One that is still being written is passed over for the one before; where there is no other, it is refused."""
    source, now = f"s3://{photos_bucket}/in", datetime.now(UTC)
    address = write(begun=now)
    bucket = open_bucket(address)
    bucket.remove(f"{now:%Y-%m-%dT%H-%MZ}/manifest.checksum")
    with pytest.raises(PedigreeError, match=r"holds no whole inventory \(the one of .* is still being written\)"):
        read_inventory(address, source, WEEK)
    write(begun=now - timedelta(days=2))
    write(begun=now - timedelta(days=3), fileFormat="ORC")
    _, taken = read_inventory(address, source, WEEK)
    assert taken[:10] == (now - timedelta(days=2)).isoformat()[:10]
    with pytest.raises(PedigreeError, match=r"holds no whole inventory \(there is none\)"):
        read_inventory(f"{s3_bucket}/elsewhere", source, WEEK)


CASES: list[tuple[dict[str, Any], str]] = [
    ({"sourceBucket": "cats"}, "is of the bucket cats, and source.url of"),
    ({"fileFormat": "ORC"}, "is written as ORC"),
    ({"form": "CSV", "fileSchema": "Bucket, Key, Size, LastModifiedDate"}, "lacks e_tag"),
    ({"form": "CSV", "fileSchema": FIELDS.replace("IsLatest, ", "")}, "lacks is_latest"),
    ({"begun": datetime.now(UTC) - timedelta(days=9)}, "is 9 days old, and source.inventory_days allows 8"),
    ({"files": [{"key": "inv/none.csv.gz", "size": 1, "MD5checksum": "0"}]}, r"data file inv/none\.csv\.gz is missing"),
    ({"files": [{"size": 1}]}, "is damaged or not whole"),
    ({"form": "CSV", "fileFormat": "Parquet", "fileSchema": PARQUET}, "cannot be read"),
    ({"form": "CSV", "fileSchema": FIELDS + ", More"}, "cannot be read"),
]


@pytest.mark.parametrize(("changes", "message"), CASES)
def test_what_is_not_certain_is_refused(
    write: Write, photos_bucket: str, changes: dict[str, Any], message: str
) -> None:
    """An inventory of another bucket, too old, without a needed field, or whose files are missing or no such files."""
    with pytest.raises(PedigreeError, match=message) as caught:
        read_inventory(write(**changes), f"s3://{photos_bucket}/in", WEEK)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["manifest.json", "data/"])
def test_damage_is_found_by_checksums(write: Write, photos_bucket: str, part: str) -> None:
    """A manifest and a data file whose bytes are others than were written are refused."""
    bucket = open_bucket(address := write())
    entry = next(entry for entry in bucket.entries() if part in entry.key)
    data = bytearray(bucket.read(entry.key))
    data[len(data) // 2] ^= 1
    bucket.remove(entry.key)
    bucket.create(entry.key, bytes(data))
    with pytest.raises(PedigreeError, match=r"is damaged or not whole .*MD5"):
        read_inventory(address, f"s3://{photos_bucket}/in", WEEK)


@pytest.mark.parametrize("changes", [{"url": "photos"}, {"inventory": ""}, {"inventory": "inventories"}])
def test_settings_that_do_not_fit_are_refused(changes: dict[str, str], tmp_path: Path) -> None:
    """An inventory is of a bucket, and lies in a bucket."""
    source = {"url": "s3://photos", "listing": "inventory", "inventory": "s3://inventories/daily", **changes}
    with pytest.raises(SettingsError, match=r"source"):
        parse_settings({"source": source, "store": {"url": str(tmp_path)}}, "test")
