"""Labelled pictures come in, on a folder and on S3: what counts, what is named, and that nothing is lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.errors import PedigreeError
from tasks.catalog.inbox import ExportOptions, export_tasks
from tasks.catalog.inbox_labels import AcceptedLabels, AcceptOptions, accept_labels, read_came_in
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.serving.inbox_record import InboxState
from tasks.stores.inbox import Inbox
from tasks.stores.objects.object_store import open_bucket
from tests.tasks.catalog.test_inbox import exported, fill
from tests.tasks.domain.serving.test_labelling_tasks import annotate

# Somebody chose one class in one control, and another in another.
TWO_CONTROLS = json.dumps(
    [
        {
            "data": {"image": "a.jpg"},
            "annotations": [{"result": [{"from_name": name, "value": {"choices": ["pug"]}} for name in ("a", "b")]}],
        }
    ]
)


class Loop:
    """An inbox with three exported pictures, and a source beside it."""

    def __init__(self, url: str, folder: Path) -> None:
        """Fill the inbox, and export what it holds."""
        self.inbox, self.source, self.file = Inbox(f"{url}/box"), f"{url}/photos", folder / "export.json"
        open_bucket(self.source).create("pug/1.jpg", b"mine")
        self.images = fill(self.inbox)
        export_tasks(self.inbox, folder / "out", ExportOptions())
        self.tasks = exported(folder / "out")

    def accept(self, *labelled: Any, replace: bool = False) -> AcceptedLabels:  # noqa: ANN401 - JSON
        """Let an export with these tasks come in."""
        self.file.write_text(json.dumps(labelled))
        return accept_labels(self.inbox, self.source, self.file, {}, AcceptOptions(replace=replace))

    def listed(self) -> list[str]:
        """List the source."""
        return [entry.key for entry in open_bucket(self.source).entries()]

    def labels(self) -> dict[str, list[str]]:
        """Return the labels that came in, by picture."""
        came_in = read_came_in(open_bucket(self.source)).labels
        return {image: sorted(row.label for row in rows) for image, rows in came_in.items()}


@pytest.fixture
def loop(url: str, tmp_path: Path) -> Loop:
    """Make such an inbox on a folder and on S3."""
    return Loop(url, tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> Loop:
    """Make such an inbox on a folder."""
    (tmp_path / "place").mkdir()
    return Loop(str(tmp_path / "place"), tmp_path)


def test_only_what_people_agree_on_comes_in(loop: Loop) -> None:
    """One label comes in with its picture; two that differ, a skipped task and strangers are named, and stay out."""
    stranger = {"data": {"image": f"s3://x/{'f' * 64}.jpg"}, "annotations": []}
    tasks = [annotate(loop.tasks[0], "whippet"), annotate(loop.tasks[1], "pug", "boxer"), annotate(loop.tasks[2], "")]
    done = loop.accept(*tasks, stranger, "no task")
    first, second, third = loop.images
    assert (done.added, done.to_dict()["new_classes"]) == ({first: "whippet"}, {"whippet": 1})
    assert (done.disagreeing, done.unlabelled) == ({second: ("boxer", "pug")}, (third,))
    assert done.unknown == (f"s3://x/{'f' * 64}.jpg",)
    assert len(done.skipped) == 1
    assert loop.listed() == [f"pedigree-inbox/{first}.jpg", done.file, "pug/1.jpg"]
    assert sha256_of_bytes(open_bucket(loop.source).read(f"pedigree-inbox/{first}.jpg")) == first
    row = json.loads(open_bucket(loop.source).read(done.file))
    assert row == {"key": f"pedigree-inbox/{first}.jpg", "label": "whippet", "from": "inbox", "kept_for": "unsure"}
    states = [picture.state for picture in loop.inbox.listing()]
    assert states == [InboxState.ACCEPTED, InboxState.EXPORTED, InboxState.EXPORTED]


def test_accepting_again_changes_nothing_and_more_adds(loop: Loop) -> None:
    """The same export again changes no byte; a later one adds its pictures to those that came in."""
    first = loop.accept(annotate(loop.tasks[0], "pug"))
    before = list(open_bucket(loop.source).entries())
    again = loop.accept(annotate(loop.tasks[0], "pug"))
    assert (again.added, again.standing, again.file) == ({}, 1, first.file)
    assert list(open_bucket(loop.source).entries()) == before
    loop.accept(annotate(loop.tasks[1], "boxer"), annotate(loop.tasks[2], "boxer"))
    assert loop.labels() == dict(zip(loop.images, (["pug"], ["boxer"], ["boxer"]), strict=True))
    assert sum(key.endswith(".jsonl") for key in loop.listed()) == 1


def test_another_label_replaces_the_former_only_when_told(local: Loop) -> None:
    """A picture keeps the label under which it came in until somebody says that the new one replaces it."""
    local.accept(annotate(local.tasks[0], "pug"))
    kept = local.accept(annotate(local.tasks[0], "boxer"))
    assert (kept.contradicting, local.labels()) == ({local.images[0]: ("pug", "boxer")}, {local.images[0]: ["pug"]})
    replaced = local.accept(annotate(local.tasks[0], "boxer"), replace=True)
    assert (replaced.replaced, local.labels()) == ((local.images[0],), {local.images[0]: ["boxer"]})


def test_a_killed_call_is_finished_by_the_next(local: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was written when a call died, running it again leaves what a whole call leaves."""
    tasks = [annotate(task, "pug") for task in local.tasks]
    whole: tuple[dict[str, list[str]], list[str]] | None = None
    bucket = type(open_bucket(local.source))
    create = bucket.create
    for last in range(8):

        def die(self: Any, key: str, data: bytes, calls: Iterator[int] = iter(range(last))) -> bool:  # noqa: ANN401, B008 - a bucket
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return bool(create(self, key, data))

        for key in local.listed():
            if key.startswith("pedigree-inbox/"):
                open_bucket(local.source).remove(key)
        with monkeypatch.context() as patch:
            patch.setattr(bucket, "create", die)
            try:
                local.accept(*tasks)
            except KeyboardInterrupt:
                assert last < 7
        local.accept(*tasks)
        whole = whole or (local.labels(), local.listed())
        assert (local.labels(), local.listed()) == whole
    assert whole
    assert len(whole[0]) == len(local.images)


def test_two_who_accept_at_once_lose_nothing(local: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that somebody else lets in between reading the former ones and writing are there afterwards."""
    local.accept(annotate(local.tasks[0], "pug"))
    bucket = type(open_bucket(local.source))
    create, waiting = bucket.create, [local.tasks[2]]

    def overtaken(self: Any, key: str, data: bytes) -> bool:  # noqa: ANN401 - a bucket
        if key.endswith(".jsonl") and waiting:
            local.accept(annotate(waiting.pop(), "boxer"))
        return bool(create(self, key, data))

    with monkeypatch.context() as patch:
        patch.setattr(bucket, "create", overtaken)
        local.accept(annotate(local.tasks[1], "corgi"))
    assert local.labels() == dict(zip(local.images, (["pug"], ["corgi"], ["boxer"]), strict=True))
    local.accept(annotate(local.tasks[1], "corgi"))
    assert sum(key.endswith(".jsonl") for key in local.listed()) == 1


def test_a_damaged_picture_holds_up_no_other(local: Loop) -> None:
    """A picture whose bytes are not those that were sent is named and does not come in; the others do."""
    path = Path(local.inbox.url, "inbox", "2026-11-28", f"{local.images[0]}.jpg")
    path.write_bytes(b"other")
    done = local.accept(*(annotate(task, "pug") for task in local.tasks))
    assert [local.images[0] in sentence for sentence in done.damaged] == [True]
    assert set(done.added) == set(local.images[1:]) == set(local.labels())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty: export it"),
        ("[{", r"export\.json"),
        ("\0", "not UTF-8"),
        ('[{"data": {"image": "a.jpg"}, "predictions": []}]', "nobody has labelled yet"),
        ('{"a": 1}', r"export\.json"),
        (TWO_CONTROLS, r"set --control to"),
    ],
)
def test_a_file_that_is_no_export_changes_nothing(local: Loop, text: str, sentence: str) -> None:
    """What cannot be read is one sentence that names the file, and neither inbox nor source changes."""
    before = local.listed(), local.inbox.listing()
    local.file.write_text(text)
    with pytest.raises(PedigreeError, match=sentence) as caught:
        accept_labels(local.inbox, local.source, local.file, {}, AcceptOptions())
    assert "\n" not in str(caught.value)
    assert "labels.column" not in str(caught.value)
    assert (local.listed(), local.inbox.listing()) == before
    with pytest.raises(PedigreeError, match="cannot be read"):
        accept_labels(local.inbox, local.source, local.file.with_name("none.json"), {}, AcceptOptions())
