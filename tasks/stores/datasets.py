"""Labellings, manifests and data cards: plain files, to be read in ten years without Pedigree."""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.problems import Problem
from tasks.domain.canonical import sha256_of
from tasks.domain.labels import Conflict, Labelled, Labelling, Located
from tasks.domain.manifest import Row, dataset_hash
from tasks.domain.splits import Split
from tasks.stores.bucket import Changed, open_bucket

_ATTRIBUTES = pa.map_(pa.string(), pa.string())
_LABELS = pa.schema(
    [
        ("key", pa.string()),
        ("image", pa.string()),
        ("label", pa.string()),
        ("attributes", _ATTRIBUTES),
        ("problem", pa.string()),
    ]
)
_MANIFEST = pa.schema(
    [
        ("image", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("attributes", _ATTRIBUTES),
        ("key", pa.string()),
    ]
)
_VERSION = re.compile(r"datasets/([0-9a-f]{64})/(card\.json|manifest\.parquet)")
_UNLABELLED, _CONFLICT = "unlabelled", "conflict"


def write_labels(url: str, labelling: Labelling) -> str:
    """Keep a labelling under the hash of its rows, and return that."""
    rows = [{**asdict(one), "problem": ""} for one in labelling.labelled]
    rows += [_problem(one.key, one.image, "", _UNLABELLED) for one in labelling.unlabelled]
    rows += [_problem(key, one.image, label, _CONFLICT) for one in labelling.conflicts for label, key in one.claims]
    name = sha256_of(rows)
    open_bucket(url).create(f"labels/{name}.parquet", _parquet(rows, _LABELS))
    return name


def read_labels(url: str, name: str) -> Labelling:
    """Return the labelling of this name; raise Problem when its file is missing or damaged."""
    rows = _rows(url, f"labels/{name}.parquet", _LABELS)
    conflicts: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        if row["problem"] == _CONFLICT:
            conflicts.setdefault(row["image"], []).append((row["label"], row["key"]))
    return Labelling(
        labelled=tuple(
            Labelled(row["key"], row["image"], row["label"], tuple(row["attributes"]))
            for row in rows
            if not row["problem"]
        ),
        unlabelled=tuple(Located(row["key"], row["image"]) for row in rows if row["problem"] == _UNLABELLED),
        conflicts=tuple(Conflict(image, tuple(claims)) for image, claims in conflicts.items()),
    )


def labels_hash(url: str, name: str) -> str:
    """Hash the rows of a labelling again: its name, unless they are not what was written."""
    return sha256_of(_rows(url, f"labels/{name}.parquet", _LABELS))


def written(url: str) -> dict[str, str]:
    """Name every dataset version, also one that has lost its manifest, with its first file's time: ISO 8601 in UTC."""
    found: dict[str, str] = {}
    for entry in open_bucket(url).entries("datasets/"):
        if match := _VERSION.fullmatch(entry.key):
            found[match[1]] = min(entry.modified, found.get(match[1], entry.modified))
    return found


def write_manifest(url: str, rows: Sequence[Row]) -> str:
    """Keep a dataset version under its hash, and return that."""
    name = dataset_hash(rows)
    plain = [{**asdict(row), "split": row.split.value} for row in sorted(rows, key=lambda row: row.image)]
    open_bucket(url).create(f"datasets/{name}/manifest.parquet", _parquet(plain, _MANIFEST))
    return name


def read_manifest(url: str, name: str) -> list[Row]:
    """Return the rows of a dataset version, sorted by image; raise Problem when its file is missing or damaged."""
    key = f"datasets/{name}/manifest.parquet"
    with _sentences(url, key):
        return [
            Row(row["image"], row["label"], Split(row["split"]), tuple(row["attributes"]), row["key"])
            for row in _rows(url, key, _MANIFEST)
        ]


def write_card(url: str, name: str, facts: Mapping[str, Any]) -> None:
    """Keep the data card of a dataset version; the first one stands."""
    text = json.dumps(facts, ensure_ascii=False, indent=1)
    open_bucket(url).create(f"datasets/{name}/card.json", text.encode())


def read_card(url: str, name: str) -> dict[str, Any] | None:
    """Return the data card of a dataset version, or None where its night died first; raise Problem when damaged."""
    key = f"datasets/{name}/card.json"
    if not any(open_bucket(url).entries(key)):
        return None
    with _sentences(url, key):
        card: dict[str, Any] = {**json.loads(open_bucket(url).read(key))}
        return card


def dataset_files(url: str, name: str) -> dict[str, bytes]:
    """Return the files of a dataset version by the names that its MLflow run keeps them under."""
    bucket = open_bucket(url)
    return {f"dataset/{file}": bucket.read(f"datasets/{name}/{file}") for file in ("manifest.parquet", "card.json")}


def _problem(key: str, image: str, label: str, problem: str) -> dict[str, Any]:
    return {"key": key, "image": image, "label": label, "attributes": (), "problem": problem}


def _parquet(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def _rows(url: str, key: str, schema: pa.Schema) -> list[dict[str, Any]]:
    with _sentences(url, key):
        data = io.BytesIO(open_bucket(url).read(key))
        table = pq.read_table(data, page_checksum_verification=True).select(schema.names).cast(schema)
        table.validate(full=True)
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


@contextmanager
def _sentences(url: str, key: str) -> Iterator[None]:
    """Say which file is missing or damaged."""
    try:
        yield
    except Changed:
        raise Problem(f"The file {key} is missing in {url}: put it back from a copy of the store.") from None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(f"The file {key} in {url} is damaged: put it back from a copy of the store.") from error
