"""Small manifests as tools export them, with what they say."""

import json

from tasks.domain.labels.manifest_formats.statements import Statement

WHITE = (("coat", "white"),)


def dumped(*values: object) -> bytes:
    """Write values as JSON Lines."""
    return "\n".join(json.dumps(value) for value in values).encode()


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
                    "annotations": [{"result": [{"value": {"choices": [name]}}]} for name in ("pug", "boxer")],
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
