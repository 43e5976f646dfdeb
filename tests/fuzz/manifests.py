"""Fuzzes the readers of manifests: ``python -m tests.fuzz.manifests SECONDS`` changes seeds of every format at random.

Each manifest must come to statements that can be kept, or to one sentence; what does neither is printed with its
number, from which ``mutant`` makes it again. Ten minutes take one core.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from time import monotonic
from typing import Any

from configs.errors import PedigreeError
from tasks.domain.hashing import canonical_json
from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.labels.manifest_formats.references import KeyIndex
from tasks.domain.labels.manifest_formats.statements import ManifestOptions
from tasks.domain.labels.results import count_manifest_use, match_statements

KEYS = ("pug/1.jpg", "2.jpg", "0003.jpg", "Bo\u0308hme.jpg")
_BREED = {"class-name": "pug", "type": "groundtruth/image-classification"}
_CHECK = {"class-name": "incorrect", "type": "groundtruth/label-verification"}
_RESULT = {"from_name": "breed", "type": "choices", "value": {"choices": ["pug"]}}
_SHORT = {"image": "s3://dogs/in/2.jpg", "id": 1, "breed": "pug", "annotator": 1, "annotation_id": 8, "lead_time": 3.2}
_COCO = {
    "images": [{"id": 1, "file_name": "2.jpg"}, {"id": "b", "file_name": "pug/1.jpg"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 7}, {"id": 2, "image_id": "b", "category_id": 7}],
    "categories": [{"id": 7, "name": "pug"}],
}

#: A small manifest of each format, by its file's name.
SEEDS: dict[str, list[object] | str] = {
    "labels.csv": 'key,label,"coat, free"\r\npug/1.jpg,pug,"white, with\nspots"\r\n2.jpg,"a ""b""",\r\n,,\r\n',
    "labels.tsv": "sep=\t\nimage\tlabel\n./2.jpg\tB\u00f6hme\npug/1.jpg\t\n",
    "train.csv": "id,breed\n0003,pug\npug/1,boxer\n",
    "metadata.csv": ",file_name,label\n0,2.jpg,pug\n1,pug/1.jpg,boxer\n",
    "_classes.csv": "filename, pug, boxer, Unlabeled\n2.jpg, 1, 0, 0\npug/1.jpg,0,1,0\n",
    "short.csv": 'annotation_id,image,breed,lead_time\n8,2.jpg,"{""choices"": [""pug""]}",3\n9,pug/1.jpg,pug,\n',
    "metadata.jsonl": [
        {"file_name": "2.jpg", "label": "pug"},
        {"file_name": "pug/1.jpg", "label": 3, "box": [1, None]},
    ],
    "labels.manifest": [
        {"source-ref": "s3://dogs/in/2.jpg", "breed": 0, "breed-metadata": _BREED, "check-metadata": _CHECK},
        {"source-ref": "s3://dogs/in/pug/1.jpg", "breed-metadata": _BREED, "coat": "white"},
    ],
    "tasks.json": [
        {
            "id": 1,
            "data": {"image": "/data/local-files/?d=2.jpg", "coat": "white"},
            "annotations": [{"result": [_RESULT]}],
        },
        {"data": {"image": "pug/1.jpg"}, "annotations": [{"was_cancelled": True, "result": []}]},
    ],
    "short.json": [_SHORT, _SHORT | {"image": "pug/1.jpg", "breed": {"choices": ["pug", "boxer"]}}],
    "coco.json": [_COCO],
}
#: What stands in for a value, or is put into a text.
ODD: tuple[object, ...] = (
    None, True, 0, -1.5, 10**400, "", "x", "\ud800", "\0", "\u2028", "\ufeff", "a/" * 500, "http://[bad", [], {}, [[]],
    [None], {"": None}, {"a": {"choices": 5}}, {"choices": [None]}, "incorrect", float("nan"), float("inf"), "./2.jpg",
)  # fmt: skip
_PIECES = (
    b'"', b'""', b",", b";", b"\t", b"\r", b"\n", b"\r\n", b"{", b"}", b"[", b"]", b":", b"\\", b"\0", b"\xff", b"key",
    b"label", b"\xef\xbb\xbf", "\u2028".encode(), b"sep=", b"NaN", b"1e999", b"\\ud800", b"[" * 3000, b'{"a":' * 3000,
    b"9" * 5000,
    b'"source-ref":', b'"annotations":', b"null", b"lead_time", b"filename", b"file_name", b"id", b" ",
    b"/local-files/?d=",
)  # fmt: skip
_ASKED = (
    ManifestOptions(),
    ManifestOptions(must_label=True),
    ManifestOptions("breed", must_label=True),
    ManifestOptions("label", ("coat",)),
    ManifestOptions("", ("breed",), must_label=True),
)
_SEEDS_OF_ONE = 100


def mutant(number: int) -> tuple[str, bytes, ManifestOptions]:
    """Make the manifest of this number, with what the settings ask of it: a seed with a few changes."""
    random = Random(number)  # noqa: S311 - the same mutant for the same number
    name = random.choice(sorted(SEEDS))
    seed = SEEDS[name]
    data = seed.encode() if isinstance(seed, str) else _dumped(name, _changed(json.loads(json.dumps(seed)), random))
    for _ in range(random.choice((0, 0, 0, 1, 1, 2, 3, 8))):
        data = _edited(data, random)
    return name, data, random.choice(_ASKED)


def _dumped(name: str, rows: list[object]) -> bytes:
    if name == "coco.json" and rows:
        return json.dumps(rows[0], indent=1).encode()
    return (json.dumps(rows) if name.endswith(".json") else "\n".join(map(json.dumps, rows))).encode()


def _changed(rows: list[object], random: Random) -> list[object]:
    """Put something odd into the place of a value, or drop it, now and then."""
    for _ in range(random.choice((0, 1, 1, 2))):
        places = list(_places(rows))
        if not places:
            return rows
        container, key = random.choice(places)
        if random.random() < 0.2:
            del container[key]
        else:
            container[key] = deepcopy(random.choice(ODD))
    return rows


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    """Yield every container with every place in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _edited(data: bytes, random: Random) -> bytes:
    """Cut, double or move a part, or put a piece in."""
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    part = data[start:end]
    return random.choice(
        (
            data[:start] + random.choice(_PIECES) + data[start:],
            data[:start] + random.choice(_PIECES) + data[start + 1 :],
            data[:start] + data[min(end, start + 20) :],
            data[:end] + part[:200] + data[end:],
            data[:start] + bytes(reversed(part[:20])) + data[start + 20 :],
            data[:end],
        )
    )


def examine(name: str, data: bytes, options: ManifestOptions) -> str:
    """Read a manifest to its end, and return what came of it in a word; whatever else is raised is a finding."""
    try:
        reading = read_manifest(data, name, options)
    except PedigreeError as problem:
        sentence = str(problem)
        assert name in sentence, sentence
        assert len(sentence.splitlines()) == 1, sentence
        sentence.encode()
        return "refused"
    matched = match_statements(reading, KeyIndex(KEYS, "s3://dogs/in"))
    assert set(dict(matched.statements)) <= set(KEYS)
    assert len(matched.statements) + len(matched.missing) + len(matched.ambiguous) == len(reading.statements)
    for statement in reading.statements:
        canonical_json([statement.reference, statement.label, statement.attributes])
    for sentence in count_manifest_use(reading, matched, KEYS).sentences():
        assert len(sentence.splitlines()) == 1, sentence
        sentence.encode()
    return "skipped rows" if reading.skipped else "read"


def main(seconds: float, say: Callable[[str], object] = print) -> int:
    """Fuzz for so long; return how many manifests were neither read nor refused in a sentence."""
    ends, number, faults, results = monotonic() + seconds, 0, 0, Counter[str]()
    while monotonic() < ends:
        for number in range(number, number + _SEEDS_OF_ONE):  # noqa: B020 - goes on where it was
            try:
                results[examine(*mutant(number))] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                faults += 1
                say(f"mutant {number}: {type(error).__name__}: {str(error)[:200]}")
        number += 1
    say(f"{number:,} manifests: {dict(results)}, {faults} faults")
    return faults


if __name__ == "__main__":
    sys.exit(min(main(float(sys.argv[1])), 1))
