"""Manifests of labels, in every form that is accepted."""

import json

import pytest

from configs.problems import Problem
from tasks.domain.label_manifest.reading import read_manifest
from tasks.domain.label_manifest.statements import Asked, SkippedRow, Statement

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
    reading = read_manifest(data, "labels")
    assert (reading.statements, reading.skipped) == (expected, [])


COCO = {
    "images": [
        {"id": 1, "file_name": "1.jpg", "width": 9, "coat": "white"},
        {"id": "b", "file_name": "2.jpg"},
        {"id": 3, "file_name": "3.jpg"},
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 7},
        {"id": 2, "image_id": 1, "category_id": 7},
        {"id": 3, "image_id": "b", "category_id": 7},
        {"id": 4, "image_id": "b", "category_id": 8},
    ],
    "categories": [{"id": 7, "name": "pug"}, {"id": 8, "name": "boxer"}],
}
COCO_SAYS = [
    Statement("1.jpg", "pug", WHITE),
    Statement("2.jpg", "pug", ()),
    Statement("2.jpg", "boxer", ()),
    Statement("3.jpg", "", ()),
]
SHORT = {"annotation_id": 8, "annotator": 1, "id": 1, "lead_time": 3}


def verified(verdict: str, *, later: bool = True) -> bytes:
    """Write a row of Ground Truth with a class, and what a verification job found, before or behind it."""
    check = {"check-metadata": {"class-name": verdict, "type": "groundtruth/label-verification"}}
    label = {"breed-metadata": {"class-name": "pug", "type": "groundtruth/image-classification"}}
    return dumped({"source-ref": "1.jpg", **(label | check if later else check | label)})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"key,label\n1.jpg,pug\n,\n\n ,  \n", [Statement("1.jpg", "pug", ())]),
        (b",,\nkey,label,,\n1.jpg,pug,,,,\n", [Statement("1.jpg", "pug", ())]),
        (
            b'"key";"label";"note, free, text, of, all"\n1.jpg;pug;a\n',
            [Statement("1.jpg", "pug", (("note, free, text, of, all", "a"),))],
        ),
        (b"sep=;\nkey;label\n1,2.jpg;pug\n", [Statement("1,2.jpg", "pug", ())]),
        (b"key\tlabel\n1.jpg\tpug\n", [Statement("1.jpg", "pug", ())]),
        (b"key,label\r1.jpg,pug\r", [Statement("1.jpg", "pug", ())]),
        (b"\xef\xbb\xbf\xef\xbb\xbfkey,label\n1.jpg,pug\n", [Statement("1.jpg", "pug", ())]),
        (b',key,label\n0,1.jpg,"pug ""the"" dog"\n', [Statement("1.jpg", 'pug "the" dog', ())]),
        (b'key,label\n1.jpg,"Golden\nRetriever"\n', [Statement("1.jpg", "Golden\nRetriever", ())]),
        (b"image,label\n1.jpg,pug\n", [Statement("1.jpg", "pug", ())]),
        (b"key,image,label\n1.jpg,a,pug\n", [Statement("1.jpg", "pug", (("image", "a"),))]),
        (
            '{"key": "1.jpg", "label": "a\u2028b"}\r\n\r\n{"key": "2.jpg"}'.encode(),
            [
                Statement("1.jpg", "a\u2028b", ()),
                Statement("2.jpg", "", ()),
            ],
        ),
        (
            b'{"key": "1.jpg", "label": "pug"}\r{"key": "2.jpg", "label": null}',
            [
                Statement("1.jpg", "pug", ()),
                Statement("2.jpg", "", ()),
            ],
        ),
        (
            b'{"key": "1.jpg", "age": NaN, "weight": 1e999, "chip": ' + b"9" * 5000 + b"}",
            [Statement("1.jpg", "", (("chip", "9" * 5000), ("weight", "1e999")))],
        ),
        (b'{\n "key": "1.jpg",\n "label": "pug"\n}\n', [Statement("1.jpg", "pug", ())]),
        (json.dumps(COCO).encode(), COCO_SAYS),
        (json.dumps(COCO, indent=1).encode(), COCO_SAYS),
        (
            b"filename, pug, boxer, Unlabeled\n1.jpg,1,0,0\n2.jpg, 0, 1,0\n3.jpg,0,0,1\n",
            [
                Statement("1.jpg", "pug", ()),
                Statement("2.jpg", "boxer", ()),
                Statement("3.jpg", "", ()),
            ],
        ),
        (b"file_name,label,coat\n1.jpg,pug,white\n", [Statement("1.jpg", "pug", WHITE)]),
        (dumped({"file_name": "1.jpg", "label": 3}), [Statement("1.jpg", "3", ())]),
        (b"id,breed\n000f,pug\n", [Statement("000f", "pug", ())]),
        (dumped({"id": 7, "breed": "pug"}), [Statement("7", "pug", ())]),
        (
            json.dumps([{"image": "1.jpg", "choice": {"choices": ["pug", "boxer"]}, **SHORT}]).encode(),
            [
                Statement("1.jpg", "pug", ()),
                Statement("1.jpg", "boxer", ()),
            ],
        ),
        (
            b'image,choice,lead_time\n1.jpg,"{""choices"": [""pug"", ""boxer""]}",3\n',
            [
                Statement("1.jpg", "pug", ()),
                Statement("1.jpg", "boxer", ()),
            ],
        ),
        (verified("incorrect"), [Statement("1.jpg", "", (), doubtful=True)]),
        (verified("Correct"), [Statement("1.jpg", "pug", ())]),
        (verified("incorrect", later=False), [Statement("1.jpg", "pug", ())]),
        (
            dumped(
                {
                    "source-ref": "1.jpg",
                    "breed-metadata": {
                        "class-map": {"0": "pug", "1": "boxer"},
                        "type": "groundtruth/image-classification-multilabel",
                    },
                }
            ),
            [Statement("1.jpg", "pug", ()), Statement("1.jpg", "boxer", ())],
        ),
    ],
)
def test_what_tools_write_is_read_as_it_stands(data: bytes, expected: list[Statement]) -> None:
    """Padding, separators, marks, line ends, numbers and two ticked choices are read; nothing is lost or added."""
    reading = read_manifest(data, "train/_classes.csv")
    assert (reading.statements, reading.skipped) == (expected, [])


def opinions(*controls: tuple[str, str]) -> bytes:
    """Write a task of Label Studio that was answered in these controls."""
    results = [{"from_name": name, "type": "choices", "value": {"choices": [choice]}} for name, choice in controls]
    return json.dumps([{"data": {"image": "1.jpg"}, "annotations": [{"result": results}]}]).encode()


@pytest.mark.parametrize(
    ("data", "column", "expected"),
    [
        (b"key,breed,coat\n1.jpg,pug,white\n", "breed", Statement("1.jpg", "pug", WHITE)),
        (b"key,Label\n1.jpg,pug\n", "Label", Statement("1.jpg", "pug", ())),
        (b"key,label,breed\n1.jpg,dog,pug\n", "breed", Statement("1.jpg", "pug", (("label", "dog"),))),
        (
            dumped({"file_name": "1.jpg", "text": "a pug", "breed": "pug"}),
            "breed",
            Statement("1.jpg", "pug", (("text", "a pug"),)),
        ),
        (
            json.dumps([{"image": "1.jpg", "batch": "spring", "breed": "pug", **SHORT}]).encode(),
            "breed",
            Statement("1.jpg", "pug", (("batch", "spring"),)),
        ),
        (opinions(("breed", "pug"), ("quality", "sharp")), "breed", Statement("1.jpg", "pug", (("quality", "sharp"),))),
        (
            dumped(
                {
                    "source-ref": "1.jpg",
                    "breed-metadata": {"class-name": "pug", "type": "groundtruth/image-classification"},
                    "coat-metadata": {"class-name": "white", "type": "groundtruth/image-classification"},
                }
            ),
            "breed",
            Statement("1.jpg", "pug", ()),
        ),
        (b"id,breed,coat\n1,pug,white\n", "breed", Statement("1", "pug", WHITE)),
    ],
)
def test_a_setting_says_which_field_is_the_label(data: bytes, column: str, expected: Statement) -> None:
    """Where more than one field may be the label, the setting decides, and what remains are attributes."""
    assert read_manifest(data, "labels", Asked(column, must_label=True)).statements == [expected]
    with pytest.raises(Problem, match=r"labels\.column"):
        read_manifest(data, "labels", Asked("age", must_label=True))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"key,breed\n1.jpg,pug\n", r"no field label: set labels.column to the one that is \(breed\)"),
        (b"key,Label\n1.jpg,pug\n", r"\(Label\)"),
        (b"key,breed,coat\n", r"\(breed, coat\)"),
        (b"id,breed,coat\n1,pug,white\n", r"\(breed, coat\)"),
        (b"file_name,text\n1.jpg,a pug\n", r"\(text\)"),
        (dumped({"key": "1.jpg"}, {"key": "2.jpg", "breed": "pug"}), r"\(breed\)"),
        (json.dumps([{"image": "1.jpg", "batch": "spring", "breed": "pug", **SHORT}]).encode(), r"\(batch, breed\)"),
        (b"annotation_id,image,batch,breed\n8,1.jpg,spring,pug\n", r"\(batch, breed\)"),
        (json.dumps([{"image": "1.jpg", "label": "dog", "choice": "pug", **SHORT}]).encode(), r"\(label, choice\)"),
        (opinions(("breed", "pug"), ("quality", "sharp")), r"more than one control \(breed, quality\)"),
        (b"filename,pug,boxer\n1.jpg,1,0\n2.jpg,1,1\n", r"columns of 0 and 1 \(pug, boxer\)"),
        (b"key,label\n1.jpg,\n2.jpg, \n", r"no label in any of its 2 rows: nothing is filled in under label"),
        (b"key\n1.jpg\n", r"no label in any of its 1 rows"),
        (dumped({"source-ref": "1.jpg"}), r"no label in any of its 1 rows"),
        (json.dumps({**COCO, "annotations": []}).encode(), r"no label in any of its 3 rows"),
    ],
)
def test_which_field_is_the_label_is_asked_and_never_guessed(data: bytes, words: str) -> None:
    """A manifest that must label is refused with the candidates where its format does not say which field does."""
    with pytest.raises(Problem, match=words):
        read_manifest(data, "labels.csv", Asked(must_label=True))


def test_a_manifest_of_attributes_alone_is_one_by_the_settings() -> None:
    """Columns that the settings call attributes are no labels, and a manifest of nothing else need not have one."""
    data = b"key,coat,age\n1.jpg,white,3\n"
    asked = Asked(attributes=("coat", "age"), must_label=True)
    assert read_manifest(data, "labels.csv", asked).statements == [Statement("1.jpg", "", (("age", "3"), *WHITE))]
    with pytest.raises(Problem, match=r"\(age\)"):
        read_manifest(data, "labels.csv", Asked(attributes=("coat",), must_label=True))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("key,label\n1.jpg,Böhme\n".encode("latin-1"), r"not UTF-8 text \(line 2\): save it as UTF-8"),
        ("key,label\n1.jpg,pug\n".encode("utf-16"), r"not UTF-8 text \(line 1\)"),
        ("key,label\n1.jpg,pug\n".encode("utf-16-le"), r"not UTF-8 text \(line 1 holds a NUL\)"),
        (b"file,breed\n1.jpg,pug\n", r"no column named key \(its columns: file, breed\)"),
        (b"key|label\n1.jpg|pug\n", r"no column named key \(its columns: key\|label\).*comma, semicolon or tab"),
        (b"sep=|\nkey|label\n1.jpg|pug\n", r"says sep='\|' in line 1"),
        ("sep=\u2028\nkey,label\n".encode(), r"says sep='\\u2028' in line 1"),
        (b"", r"no column named key \(its columns: none\)"),
        (b'{"label": "pug"}', r"no column named key \(its columns: label\)"),
        (b"image,file_name,label\n", r"columns file_name and image, which may name the objects"),
        (b"key,label\n1.jpg,Retriever, golden\n", r"line 2, column 3: the row has 3 fields, the header 2"),
        (b"key,label,coat\n1.jpg,pug,\n\n2.jpg,pug\n", r"line 4, column 3: the row has 2 fields, the header 3"),
        (b"key,label,,coat\n1.jpg,pug,white,\n", r"line 2, column 3: the header has no name"),
        (b'key,label\n1.jpg,pug\n2.jpg,"husky\n3.jpg,pug\n', r"line 3, column 2: a quote opens here and never ends"),
        (b'key,label\n1.jpg,"husky\n2.jpg,pug\n3.jpg,"pug"\n', r"line 2, column 2: .* closes in line 4"),
        (b'key,label\n1.jpg,"husky\n2.jpg,pug\n3.jpg,"\n', r"line 2, column 2: .* closes in line 4, around what looks"),
        (b'key,label\r1.jpg,"hus"ky"\r', r"line 2, column 2: a quote opens here, and text follows"),
        (b'key,"label\n1.jpg,pug\n', r"line 1, column 2: a quote opens here and never ends"),
        (b"key,label\n1.jpg," + b"a" * 140_000, r"not valid CSV in line 2 \(field larger than field limit"),
        (b"key,label,label\n1.jpg,pug,boxer\n", r"line 1, names label twice, in columns 2 and 3"),
        (b'{"key": "1.jpg"}\n{"key": \n', r"not valid JSON in line 2"),
        (b'{"key": \n{"key": "1.jpg"}', r"not valid JSON in line 1"),
        (b'{"key": "1.jpg"}\n\n{"key": "2.jpg", "label": "a", "label": "b"}', r"line 3 \(an object names label twice"),
        (b'{"key": "1.jpg"} {"key": "2.jpg"}', r"line 1 \(text follows its end"),
        (b'[{"key": "1.jpg"},\n{"key": "2.jpg"', r"not valid JSON in line 2"),
        (b'[{"key": "1.jpg"},\n\n{"key": "2.jpg"} {', r"line 3 \(a comma or the list's end is missing"),
        (b'[{"key": "1.jpg"},\n]', r"not valid JSON in line 2"),
        (b'[{"key": "1.jpg"}]\n[]', r"text follows the list's end"),
        (b"[" * 200_000, r"line 1 \(it nests too deeply\)"),
        (b'{"key": "1.jpg"}\n{"a": ' + b"[" * 200_000, r"line 2 \(it nests too deeply\)"),
        (b"[1, 2]", r"one JSON object a row"),
        (b'[{"data": {"text": "a"}, "annotations": []}]', r"line 1 names no image: .*no row of it can be used"),
        (b"key,label\n,pug\n", r"line 2 does not say which object it is about: key is empty"),
        (b'{"images": [{"id": 1}, {"id": 1}], "annotations": [], "categories": []}', r"image id 1 twice"),
    ],
)
def test_a_wrong_manifest_is_named_in_one_sentence(data: bytes, words: str) -> None:
    """A manifest that cannot be read for certain is answered with its name, the line, the column, and what is wrong."""
    with pytest.raises(Problem, match=words) as caught:
        read_manifest(data, "labels.csv")
    assert "labels.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


TASK = {"data": {"image": "2.jpg"}, "annotations": [{"result": [{"value": {"choices": ["boxer"]}}]}]}


def task(**changes: object) -> dict[str, object]:
    """Write a task of Label Studio with something wrong in it."""
    return {"data": {"image": "1.jpg"}, "annotations": []} | changes


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ({"label": "pug"}, {"key": "2.jpg", "label": "boxer"}, "does not say which object"),
        ({"key": ["1.jpg"], "label": "pug"}, {"key": "2.jpg", "label": "boxer"}, "does not say which object"),
        ({"key": "1.jpg", "label": ["pug"]}, {"key": "2.jpg", "label": "boxer"}, "holds a list in label"),
        ({"key": "1.jpg", "label": {"a": 1}}, {"key": "2.jpg", "label": "boxer"}, "holds an object in label"),
        ({"key": "1.jpg", "label": "\ud800"}, {"key": "2.jpg", "label": "boxer"}, "half of a character"),
        ({"key": "1\ud800.jpg", "label": "pug"}, {"key": "2.jpg", "label": "boxer"}, "half of a character"),
        ({"key": "1.jpg", "coat": "\udfff"}, {"key": "2.jpg", "label": "boxer"}, "half of a character"),
        ({"key": "1.jpg", "coat\udfff": "a"}, {"key": "2.jpg", "label": "boxer"}, "half of a character"),
        ({"key": "1.jpg", "label": "p\0g"}, {"key": "2.jpg", "label": "boxer"}, "holds a NUL"),
        ({"key": "a/" * 20_000, "label": "pug"}, {"key": "2.jpg", "label": "boxer"}, "in 40,000 letters"),
        (None, {"key": "2.jpg", "label": "boxer"}, "no record"),
        ("x", {"key": "2.jpg", "label": "boxer"}, "no record"),
        (7, TASK, "the task is no object"),
        (task(data=None), TASK, "data is no object"),
        (task(data={"image": 5}), TASK, "names no image"),
        (task(annotations=[None]), TASK, "an annotation is no object"),
        (task(annotations=5), TASK, "annotations is no list"),
        (task(annotations=[{"result": "x"}]), TASK, "result is no list"),
        (task(annotations=[{"result": None}]), TASK, "result is no list"),
        (task(annotations=[{"result": [None]}]), TASK, "a result is no object"),
        (task(annotations=[{"result": [{"value": None}]}]), TASK, "value is no object"),
        (task(annotations=[{"result": [{"value": "s"}]}]), TASK, "value is no object"),
        (task(annotations=[{"result": [{"value": {"choices": 5}}]}]), TASK, "choices is no list"),
        (task(annotations=[{"result": [{"value": {"choices": [[]]}}]}]), TASK, "holds a list in choices"),
        (
            {"image": "1.jpg", "choice": [{"x": 5}], **SHORT},
            {"image": "2.jpg", "choice": "boxer", **SHORT},
            "holds a list in choice",
        ),
        (
            {"source-ref": None},
            {
                "source-ref": "2.jpg",
                "a-metadata": {"type": "groundtruth/image-classification", "class-name": "boxer"},
            },
            "does not say which object",
        ),
        (
            {"source-ref": "1.jpg", "a-metadata": {"type": "groundtruth/image-classification", "class-name": []}},
            {
                "source-ref": "2.jpg",
                "a-metadata": {"type": "groundtruth/image-classification", "class-name": "boxer"},
            },
            "holds a list in class-name",
        ),
    ],
)
def test_a_wrong_row_costs_itself(wrong: object, right: object, words: str) -> None:
    """What is one record's own fault costs that record, which is named with its line; the others count."""
    for data, line in ((dumped(right, wrong), 2), (f"[{json.dumps(wrong)},\n{json.dumps(right)}]".encode(), 1)):
        if data[:1] == b"[" or isinstance(right, dict):
            reading = read_manifest(data, "labels", Asked(must_label=True))
            assert reading.statements == [Statement("2.jpg", "boxer", ())]
            assert [row.line for row in reading.skipped] == [line]
            assert words in str(reading.skipped[0])


def test_a_wrong_image_of_coco_costs_itself() -> None:
    """An image without an id, a name or a nameable category is skipped by its number."""
    coco = {
        "images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "2.jpg"}, {"id": 3}, {"id": []}, None],
        "annotations": [
            None,
            {"image_id": [], "category_id": 7},
            {"image_id": 2, "category_id": 9},
            {"image_id": 1, "category_id": 7},
        ],
        "categories": [{"id": 7, "name": "pug"}, {"id": []}, 5],
    }
    reading = read_manifest(json.dumps(coco).encode(), "labels")
    assert reading.statements == [Statement("1.jpg", "pug", ())]
    assert [row.line for row in reading.skipped] == [2, 3, 4, 5]


def test_a_cell_that_is_neither_0_nor_1_costs_its_row() -> None:
    """Roboflow's columns of classes hold nothing else."""
    reading = read_manifest(b"filename,pug,boxer\n1.jpg,1,0\n2.jpg,x,0\n3.jpg,,1\n", "_classes.csv")
    assert reading.statements == [Statement("1.jpg", "pug", ())]
    assert reading.skipped == [
        SkippedRow(3, "holds neither 0 nor 1 in pug"),
        SkippedRow(4, "holds neither 0 nor 1 in pug"),
    ]


def test_lines_are_those_of_the_file() -> None:
    """A statement knows the line that its row begins in, in every form."""
    quoted = b'key,label,note\n\n1.jpg,pug,"a\nb"\n2.jpg,pug,\n'
    assert [one.line for one in read_manifest(quoted, "labels").statements] == [3, 5]
    array = b'[\n{"key": "1.jpg"\n},\r\n{"key": "2.jpg"},{"key": "3.jpg"}]'
    assert [one.line for one in read_manifest(array, "labels").statements] == [2, 4, 4]
