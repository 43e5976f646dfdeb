"""What refuses a manifest, with line and column, and what costs one of its rows."""

import json

import pytest

from configs.errors import PedigreeError
from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.labels.manifest_formats.statements import ManifestOptions, SkippedRow, Statement
from tests.tasks.domain.labels.manifest_formats.test_reading import SHORT
from tests.tasks.domain.tool_manifests import dumped


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("key,label\n1.jpg,Böhme\n".encode("latin-1"), r"not UTF-8 text \(line 2\): save it as CSV or JSON in UTF-8"),
        ("key,label\n1.jpg,pug\n".encode("utf-16"), r"not UTF-8 text \(line 1\)"),
        ("key,label\n1.jpg,pug\n".encode("utf-16-le"), r"not UTF-8 text \(line 1 holds a NUL\)"),
        (b"file,breed\n1.jpg,pug\n", r"no column named key \(its columns: file, breed\)"),
        (b"key|label\n1.jpg|pug\n", r"no column named key \(its columns: key\|label\).*comma, semicolon or tab"),
        (b"sep=|\nkey|label\n1.jpg|pug\n", r"says sep='\|' in line 1"),
        ("sep=\u2028\nkey,label\n".encode(), r"says sep='\\u2028' in line 1"),
        (b"# exported, 2026\nkey,label\n1.jpg,pug\n", r"its columns: # exported, 2026\): let its first line name the"),
        (b"# exported\nkey,label\n1.jpg,pug\n", r"its columns: # exported\): .* comma, semicolon or tab"),
        (b"", r"is empty"),
        ("\ufeff \n\n".encode(), r"is empty"),
        (b'{"label": "pug"}', r"no field named key \(its fields: label\)"),
        (b"image,file_name,label\n", r"columns file_name and image, which may name the objects"),
        (b"key,label\n1.jpg,Retriever, golden\n", r"line 2, column 3: the row has 3 fields, the header 2"),
        (b"key,label,coat\n1.jpg,pug,\n\n2.jpg,pug\n", r"line 4, column 3: the row has 2 fields, the header 3"),
        (b"key,label,,coat\n1.jpg,pug,white,\n", r"line 2, column 3: the header has no name"),
        (b'key,label\n1.jpg,pug\n2.jpg,"husky\n3.jpg,pug\n', r"line 3, column 2: a quote opens here and never ends"),
        (b'key,label\n1.jpg,"husky\n2.jpg,pug\n3.jpg,"pug"\n', r"line 2, column 2: .* closes in line 4"),
        (b'key,label\n1.jpg,"husky\n2.jpg,pug\n3.jpg,"\n', r"line 2, column 2: .* closes in line 4, around what looks"),
        (b'key,label\r1.jpg,"hus"ky"\r', r"line 2, column 2: a quote opens here, and text follows"),
        (b'key, label\n1.jpg, "pug" black\n', r"line 2, column 2: a quote opens here, and text follows"),
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
        (
            b'[{"data": {"text": "a"}, "annotations": []}]',
            r"record 1, line 1, names no image: .*no row of it can be used",
        ),
        (b"key,label\n,pug\n", r"line 2 does not say which object it is about: key is empty"),
        (b'{"images": [{"id": 1}, {"id": 1}], "annotations": [], "categories": []}', r"image id 1 twice"),
    ],
)
def test_a_wrong_manifest_is_named_in_one_sentence(data: bytes, words: str) -> None:
    """A manifest that cannot be read for certain is answered with its name, the line, the column, and what is wrong."""
    with pytest.raises(PedigreeError, match=words) as caught:
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
            "holds an object in choice",
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
            "holds a list in a job's classes",
        ),
    ],
)
def test_a_wrong_row_costs_itself(wrong: object, right: object, words: str) -> None:
    """What is one record's own fault costs that record, which is named with its line; the others count."""
    for data, where in (
        (dumped(right, wrong), "line 2"),
        (f"[{json.dumps(wrong)},\n{json.dumps(right)}]".encode(), "record 1, line 1,"),
    ):
        if data[:1] == b"[" or isinstance(right, dict):
            reading = read_manifest(data, "labels", ManifestOptions(must_label=True))
            assert reading.statements == [Statement("2.jpg", "boxer", ())]
            assert [row.place for row in reading.skipped] == [where]
            assert words in str(reading.skipped[0])


def test_a_wrong_image_of_coco_costs_itself() -> None:
    """An image without an id, a name or a nameable category is skipped by its number; so is what is about no image."""
    coco = {
        "images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "2.jpg"}, {"id": 3}, {"id": []}, None],
        "annotations": [
            None,
            {"image_id": [], "category_id": 7},
            {"image_id": 2, "category_id": 7},
            {"image_id": 2, "category_id": 9},
            {"image_id": 1, "category_id": 7},
            {"image_id": 99, "category_id": 7},
        ],
        "categories": [{"id": 7, "name": "pug"}, {"id": []}, 5],
    }
    reading = read_manifest(json.dumps(coco).encode(), "labels")
    assert reading.statements == [Statement("1.jpg", "pug", ())]
    stray = [f"annotation {number}" for number in (1, 2, 6)]
    assert [row.place for row in reading.skipped] == [*(f"image {number}" for number in (2, 3, 4, 5)), *stray]


def test_a_cell_that_is_neither_0_nor_1_costs_its_row() -> None:
    """Roboflow's columns of classes hold nothing else."""
    reading = read_manifest(b"filename,pug,boxer\n1.jpg,1,0\n2.jpg,x,0\n3.jpg,,1\n", "_classes.csv")
    assert reading.statements == [Statement("1.jpg", "pug", ())]
    assert reading.skipped == [
        SkippedRow("line 3", "holds neither 0 nor 1 in pug"),
        SkippedRow("line 4", "holds neither 0 nor 1 in pug"),
    ]


def test_lines_are_those_of_the_file() -> None:
    """A statement knows the line that its row begins in, in every form."""
    quoted = b'key,label,note\n\n1.jpg,pug,"a\nb"\n2.jpg,pug,\n'
    assert [statement.place for statement in read_manifest(quoted, "labels").statements] == ["line 3", "line 5"]
    array = b'[\n{"key": "1.jpg"\n},\r\n{"key": "2.jpg"},{"key": "3.jpg"}]'
    assert [statement.place for statement in read_manifest(array, "labels").statements] == [
        "record 1, line 2,",
        "record 2, line 4,",
        "record 3, line 4,",
    ]
