"""The work of reading a manifest grows with its size, and not faster: counted in lines of Python, not in seconds."""

import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from configs.errors import PedigreeError
from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.labels.manifest_formats.references import KeyIndex
from tasks.domain.labels.manifest_formats.statements import ManifestOptions
from tasks.domain.labels.results import count_manifest_use, match_statements
from tests.tasks.domain.tool_manifests import dumped


def task(control: str) -> dict[str, object]:
    """Write a task of Label Studio that was answered in a control."""
    result = {"from_name": control, "value": {"choices": ["a"]}}
    return {"data": {"image": "1.jpg"}, "annotations": [{"result": [result]}]}


MANIFESTS: dict[str, Callable[[int], bytes]] = {
    "rows": lambda size: b"key,label\n" + b"1.jpg,pug\n" * size,
    "rows in quotes over lines": lambda size: b"key,note\n" + b'1.jpg,"a\nb"\n' * size,
    "columns": lambda size: b"key," + b",".join(b"c%d" % number for number in range(size)) + b"\n1.jpg" + b"," * size,
    "an open quote": lambda size: b"key,label\n" + b'"1.jpg",' * size + b'"pug',
    "lines in an open quote": lambda size: b'key,label\n1.jpg,"pug' + b"\n2.jpg,pug" * size,
    "ids": lambda size: b"id,breed\n" + b"".join(b"%d,pug\n" % number for number in range(size)),
    "records": lambda size: dumped(*({"key": f"{number}.jpg", "label": "pug"} for number in range(size))),
    "records of their own fields": lambda size: dumped(*({"key": "1.jpg", f"c{number}": 1} for number in range(size))),
    "a field twice": lambda size: (
        b'{"key": 1' + b"".join(b', "c%d": 1' % number for number in range(size)) + b', "key": 2}'
    ),
    "short records of their own fields": lambda size: dumped(
        *({"image": "1.jpg", "lead_time": 1, "choice": "pug", f"c{number}": "a"} for number in range(size))
    ),
    "a list": lambda size: b"[" + b'{"key": "1.jpg", "label": "pug"},\n' * size + b'{"key": "2.jpg"}]',
    "choices of their own controls": lambda size: json.dumps([task(f"c{number}") for number in range(size)]).encode(),
    "jobs": lambda size: dumped(
        {"source-ref": "1.jpg"}
        | {f"c{number}-metadata": {"type": "groundtruth/label-verification"} for number in range(size)}
    ),
    "a long reference": lambda size: b"key,label\n/data/local-files/?d=" + b"a/" * size + b",pug\n",
    "classes": lambda size: (
        b"filename," + b",".join(b"c%d" % number for number in range(size)) + b"\n1.jpg" + b",1" * size
    ),
}


def lines_of(action: Callable[[], object]) -> int:
    """Count the lines of Python that an action runs, each time that it runs them."""
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401 - what sys.settrace wants
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return lines


def read(data: bytes, column: str) -> None:
    """Read a manifest to its end, whatever comes of it."""
    keys = [f"{number}.jpg" for number in range(3)]
    try:
        reading = read_manifest(data, "_classes.csv", ManifestOptions(column, must_label=True))
    except PedigreeError:
        return
    list(count_manifest_use(reading, match_statements(reading, KeyIndex(keys, "/photos")), keys).sentences())


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize("column", ["", "c1"])
def test_twice_as_much_is_twice_the_work(name: str, column: str) -> None:
    """A manifest of four times the size takes at most about four times the lines of one."""
    small, large = (MANIFESTS[name](size) for size in (250, 1000))
    # What is cached is known in both counts, whichever test was before.
    read(large, column)
    assert lines_of(lambda: read(large, column)) <= 4.2 * lines_of(lambda: read(small, column)) + 100
