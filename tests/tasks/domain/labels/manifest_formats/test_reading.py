"""Manifests of labels, in every form that is accepted."""

import json

import pytest

from configs.errors import PedigreeError
from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.labels.manifest_formats.statements import ManifestOptions, Statement
from tests.tasks.domain.tool_manifests import FORMS, WHITE, dumped


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
        (b"[]", []),
        (b'key, label\n1.jpg, "pug, black"\n', [Statement("1.jpg", "pug, black", ())]),
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
            json.dumps([{"image": "1.jpg", "choice": ["pug", "boxer"], **SHORT}]).encode(),
            [
                Statement("1.jpg", "pug", ()),
                Statement("1.jpg", "boxer", ()),
            ],
        ),
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


TWO_JOBS = {
    "source-ref": "1.jpg",
    "breed-metadata": {"class-name": "pug", "type": "groundtruth/image-classification"},
    "coat-metadata": {"class-name": "white", "type": "groundtruth/image-classification"},
}


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
            dumped(TWO_JOBS),
            "breed",
            Statement("1.jpg", "pug", ()),
        ),
        (b"id,breed,coat\n1,pug,white\n", "breed", Statement("1", "pug", WHITE)),
    ],
)
def test_a_setting_says_which_field_is_the_label(data: bytes, column: str, expected: Statement) -> None:
    """Where more than one field may be the label, the setting decides, and what remains are attributes."""
    assert read_manifest(data, "labels", ManifestOptions(column, must_label=True)).statements == [expected]
    with pytest.raises(PedigreeError, match=r"labels\.column"):
        read_manifest(data, "labels", ManifestOptions("age", must_label=True))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b"key,breed\n1.jpg,pug\n",
            r"no field named label: set labels.column to the one that holds the labels \(breed\)",
        ),
        (b"key,Label\n1.jpg,pug\n", r"\(Label\)"),
        (b"key,breed,coat\n", r"\(breed, coat\)"),
        (b"id,breed,coat\n1,pug,white\n", r"\(breed, coat\)"),
        (b"file_name,text\n1.jpg,a pug\n", r"\(text\)"),
        (dumped({"key": "1.jpg"}, {"key": "2.jpg", "breed": "pug"}), r"\(breed\)"),
        (json.dumps([{"image": "1.jpg", "batch": "spring", "breed": "pug", **SHORT}]).encode(), r"\(batch, breed\)"),
        (b"annotation_id,image,batch,breed\n8,1.jpg,spring,pug\n", r"\(batch, breed\)"),
        (json.dumps([{"image": "1.jpg", "label": "dog", "choice": "pug", **SHORT}]).encode(), r"\(label, choice\)"),
        (dumped(TWO_JOBS), r"jobs without a class in common \(breed, coat\)"),
        (opinions(("breed", "pug"), ("quality", "sharp")), r"more than one control \(breed, quality\)"),
        (b"filename,pug,boxer\n1.jpg,1,0\n2.jpg,1,1\n", r"columns of 0 and 1 \(pug, boxer\)"),
        (b"key,label\n1.jpg,\n2.jpg, \n", r"no label in any of its 2 rows: nothing is filled in under label"),
        (b"key\n1.jpg\n", r"no label in any of its 1 rows"),
        (dumped({"source-ref": "1.jpg"}), r"no label in any of its 1 rows: no row holds the class of an image class"),
        (json.dumps({**COCO, "annotations": []}).encode(), r"no label in any of its 3 rows: no image has an anno"),
        (opinions(), r"no label in any of its 1 rows: no annotation holds a choice, and predictions do not count"),
    ],
)
def test_which_field_is_the_label_is_asked_and_never_guessed(data: bytes, words: str) -> None:
    """A manifest that must label is refused with the candidates where its format does not say which field does."""
    with pytest.raises(PedigreeError, match=words):
        read_manifest(data, "labels.csv", ManifestOptions(must_label=True))


def test_a_manifest_of_attributes_alone_is_one_by_the_settings() -> None:
    """Columns that the settings call attributes are no labels, and a manifest of nothing else need not have one."""
    data = b"key,coat,age\n1.jpg,white,3\n"
    options = ManifestOptions(attributes=("coat", "age"), must_label=True)
    assert read_manifest(data, "labels.csv", options).statements == [Statement("1.jpg", "", (("age", "3"), *WHITE))]
    with pytest.raises(PedigreeError, match=r"\(age\)"):
        read_manifest(data, "labels.csv", ManifestOptions(attributes=("coat",), must_label=True))
