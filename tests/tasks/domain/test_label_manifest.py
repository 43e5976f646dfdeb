"""Manifests of labels, in every form that is accepted."""

import json

import pytest

from configs.problems import Problem
from tasks.domain.label_manifest import Statement, key_of, read_manifest

WHITE = (("coat", "white"),)


def dumped(*values: object) -> bytes:
    """Write values as JSON Lines."""
    return "\n".join(json.dumps(one) for one in values).encode()


FORMS: dict[str, tuple[bytes, list[Statement]]] = {
    "csv": (b"key,label,coat\np/1.jpg,poodle,white\n", [Statement("p/1.jpg", "poodle", WHITE)]),
    "csv of a spreadsheet": (
        b'\xef\xbb\xbfkey;label;coat\r\n"p/1;2.jpg"; poodle ;\r\n',
        [Statement("p/1;2.jpg", "poodle", ())],
    ),
    "csv without labels": (b"key,coat\n1.jpg,white\n", [Statement("1.jpg", "", WHITE)]),
    "json lines": (
        dumped({"key": "1.jpg", "label": "poodle", "coat": "white", "box": [1, 2], "age": 3, "groomed": True}),
        [Statement("1.jpg", "poodle", (("age", "3"), ("coat", "white"), ("groomed", "true")))],
    ),
    "ground truth": (
        dumped(
            {
                "source-ref": "s3://dogs/1.jpg",
                "coat": "white",
                "breed": 3,
                "breed-metadata": {
                    "class-name": "poodle",
                    "confidence": 0.95,
                    "type": "groundtruth/image-classification",
                    "job-name": "labeling-job/breed",
                    "human-annotated": "yes",
                    "creation-date": "2026-10-18T22:18:13.527256",
                },
            }
        ),
        [Statement("s3://dogs/1.jpg", "poodle", WHITE)],
    ),
    "ground truth, not labelled yet": (
        dumped({"source-ref": "s3://dogs/1.jpg"}),
        [Statement("s3://dogs/1.jpg", "", ())],
    ),
    "label studio": (
        json.dumps(
            [
                {
                    "id": 1,
                    "data": {"image": "s3://dogs/1.jpg", "coat": "white"},
                    "annotations": [
                        {"id": 7, "was_cancelled": True, "result": [{"value": {"choices": ["boxer"]}}]},
                        {
                            "id": 8,
                            "was_cancelled": False,
                            "result": [
                                {
                                    "from_name": "choice",
                                    "to_name": "image",
                                    "type": "choices",
                                    "value": {"choices": ["poodle"]},
                                }
                            ],
                        },
                    ],
                    "predictions": [],
                },
                {"id": 2, "data": {"image": "s3://dogs/2.jpg"}, "annotations": []},
            ]
        ).encode(),
        [Statement("s3://dogs/1.jpg", "poodle", WHITE), Statement("s3://dogs/2.jpg", "", ())],
    ),
    "label studio, two opinions": (
        json.dumps(
            [
                {
                    "data": {"image": "1.jpg"},
                    "annotations": [{"result": [{"value": {"choices": [one]}}]} for one in ("pug", "boxer")],
                }
            ]
        ).encode(),
        [Statement("1.jpg", "pug", ()), Statement("1.jpg", "boxer", ())],
    ),
    "label studio, json-min": (
        json.dumps(
            [
                {
                    "image": "s3://dogs/1.jpg",
                    "id": 1,
                    "coat": "white",
                    "choice": "poodle",
                    "annotator": 1,
                    "annotation_id": 8,
                    "created_at": "2026-11-01T10:00:00Z",
                    "updated_at": "2026-11-01T10:00:00Z",
                    "lead_time": 3.2,
                }
            ]
        ).encode(),
        [Statement("s3://dogs/1.jpg", "poodle", WHITE)],
    ),
    "label studio, csv": (
        (
            b"annotation_id,annotator,breed,created_at,id,image,lead_time,updated_at\n"
            b"8,1,poodle,2026-11-01T10:00:00Z,1,s3://dogs/1.jpg,3.2,2026-11-01T10:00:00Z\n"
        ),
        [Statement("s3://dogs/1.jpg", "poodle", ())],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str) -> None:
    """Whatever tool wrote a manifest, it comes to statements of object, label and attributes."""
    data, expected = FORMS[form]
    assert read_manifest(data, "labels") == expected


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("key,label\n1.jpg,Böhme\n".encode("latin-1"), r"not UTF-8 text \(line 2\): save it as UTF-8"),
        (b"file,breed\n1.jpg,pug\n", r"no column named key \(its columns: file, breed\)"),
        (b"", r"no column named key \(its columns: none\)"),
        (b'{"label": "pug"}', r"row 1, does not say which object it is about"),
        (b'{"key": "1.jpg"}\n{"key": \n', r"not valid JSON in line 2"),
        (b"[1, 2]", r"one JSON object a row"),
        (b'[{"data": {"text": "a"}, "annotations": []}]', r"names no image"),
        (b"key,label\n,pug\n", r"row 1, does not say which object it is about"),
    ],
)
def test_a_wrong_manifest_is_named_in_one_sentence(data: bytes, words: str) -> None:
    """A manifest that cannot be read is answered with its name, the place, and what is wrong."""
    with pytest.raises(Problem, match=words) as caught:
        read_manifest(data, "labels.csv")
    assert "labels.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "source", "key"),
    [
        ("pug/1.jpg", "s3://dogs/in", "pug/1.jpg"),
        ("s3://dogs/in/pug/1.jpg", "s3://dogs/in/", "pug/1.jpg"),
        ("s3://cats/in/pug/1.jpg", "s3://dogs/in", None),
        ("/data/local-files/?d=photos/pug%2F1.jpg", "/anywhere", "pug/1.jpg"),
        ("/data/upload/1/3fa9-1.jpg", "s3://dogs/in", None),
        ("/photos/pug/1.jpg", "/photos", "pug/1.jpg"),
    ],
)
def test_a_reference_finds_its_object(reference: str, source: str, key: str | None) -> None:
    """Objects are found by key, by an address below the source, and by the path of a Label Studio file."""
    assert key_of(reference, source, {"pug/1.jpg": 1}) == key
