"""The inbox for people, on a folder and on S3: listing, exporting, and taking back also what has come in."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from configs.errors import AmbiguousError, PedigreeError, SettingsError
from tasks.catalog.inbox import ExportOptions, export_tasks, list_pictures, withdraw
from tasks.catalog.inbox_labels import AcceptOptions, accept_labels
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.serving.inbox_record import InboxState
from tasks.stores.inbox import Inbox
from tasks.stores.objects.object_store import open_bucket
from tests.tasks.domain.serving.test_labelling_tasks import annotate
from tests.tasks.stores.test_inbox import DAY, NEXT_DAY, make_record

ANSWER, SENT = "01JDV5Q8K3M4N5P6R7S8T9V0WX", sha256_of_bytes(b"as it was sent")
PICTURES = {b"\xff\xd8\xff one": DAY, b"\xff\xd8\xff two": DAY, b"\xff\xd8\xff three": NEXT_DAY}


def fill(inbox: Inbox) -> list[str]:
    """Keep three pictures of two days, and return their names by day."""
    for data, day in PICTURES.items():
        inbox.put(make_record(data, day), data)
    return [picture.image for picture in inbox.listing()]


def exported(folder: Path) -> list[dict[str, object]]:
    """Return the tasks in a folder."""
    tasks: list[dict[str, object]] = json.loads((folder / "tasks.json").read_text())
    return tasks


def test_what_waits_is_exported_once(url: str, tmp_path: Path) -> None:
    """Pictures leave as tasks that name them where they lie, are marked, and leave again only when that is asked."""
    inbox = Inbox(f"{url}/box")
    images = fill(inbox)
    first = export_tasks(inbox, tmp_path / "a", ExportOptions(day=DAY))
    assert (first.tasks, first.files) == (2, ("tasks.json", "labels.xml"))
    start = f"{url}/box/" if url.startswith("s3://") else "/data/local-files/?d="
    references = [task["data"]["image"] for task in exported(tmp_path / "a")]  # type: ignore[index]
    assert references == [f"{start}inbox/{DAY}/{image}.jpg" for image in images[:2]]
    states = [picture.state for picture in list_pictures(inbox).pictures]
    assert states == [InboxState.EXPORTED, InboxState.EXPORTED, InboxState.WAITING]
    assert export_tasks(inbox, tmp_path / "b", ExportOptions()).tasks == 1
    with pytest.raises(PedigreeError, match="No picture waits"):
        export_tasks(inbox, tmp_path / "c", ExportOptions())
    assert export_tasks(inbox, tmp_path / "c", ExportOptions(again=True)).tasks == 3


def test_an_export_that_fails_marks_nothing(tmp_path: Path) -> None:
    """A folder that is not empty stays as it is, and so do the pictures."""
    inbox = Inbox(str(tmp_path / "box"))
    fill(inbox)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(PedigreeError, match="not an empty folder"):
        export_tasks(inbox, tmp_path / "out", ExportOptions())
    assert {picture.state for picture in inbox.listing()} == {InboxState.WAITING}


def test_references_begin_where_label_studio_serves_from(tmp_path: Path) -> None:
    """A root above the inbox stands before the keys; another folder, or a root for a bucket, is a wrong option."""
    inbox = Inbox(str(tmp_path / "my box"))
    images = fill(inbox)
    export_tasks(inbox, tmp_path / "a", ExportOptions(root=str(tmp_path)))
    assert f"?d=my%20box/inbox/{DAY}/{images[0]}.jpg" in (tmp_path / "a" / "tasks.json").read_text()
    with pytest.raises(SettingsError, match="is not below --root"):
        export_tasks(inbox, tmp_path / "b", ExportOptions(again=True, root=str(tmp_path / "elsewhere")))


def test_a_damaged_record_is_named_and_holds_up_no_other(tmp_path: Path) -> None:
    """Listing and exporting name a damaged record, and go on with the others."""
    inbox = Inbox(str(tmp_path / "box"))
    images = fill(inbox)
    (tmp_path / "box" / "inbox" / DAY / f"{images[0]}.json").write_text("{")
    listing = list_pictures(inbox)
    assert [picture.record.image for picture in listing.pictures] == images[1:]
    assert [images[0] in sentence for sentence in listing.damaged] == [True]
    done = export_tasks(inbox, tmp_path / "out", ExportOptions())
    assert (done.tasks, done.damaged) == (2, listing.damaged)
    assert inbox.listing()[0].state == InboxState.WAITING


def test_a_picture_is_taken_back_wherever_it_is(url: str, tmp_path: Path) -> None:
    """After a withdrawal no byte of a picture and no label is in the inbox or the source; others stay."""
    inbox, source = Inbox(f"{url}/box"), f"{url}/photos"
    open_bucket(source).create("pug/1.jpg", b"mine")
    images = fill(inbox)
    export_tasks(inbox, tmp_path / "out", ExportOptions())
    labelled = [annotate(task, "boxer") for task in exported(tmp_path / "out")]
    (tmp_path / "export.json").write_text(json.dumps(labelled))
    accept_labels(inbox, source, tmp_path / "export.json", {}, AcceptOptions())
    gone = images[0]
    withdrawn = withdraw(inbox, source, gone[:12])
    assert (withdrawn.image, withdrawn.kept) == (gone, True)
    assert withdrawn.came_in == (f"pedigree-inbox/{gone}.jpg",)
    everything = [(entry.key, open_bucket(url).read(entry.key)) for entry in open_bucket(url).entries()]
    assert [key for key, data in everything if gone in key or gone.encode() in data] == [f"box/withdrawn/{gone}"]
    assert gone not in {sha256_of_bytes(data) for _, data in everything}
    labels = [data for key, data in everything if key.endswith(".jsonl")]
    assert [images[1].encode() in data and images[2].encode() in data for data in labels] == [True]
    assert withdraw(inbox, source, gone[:12]).kept is False
    for image in images[1:]:
        withdraw(inbox, source, image)
    assert [entry.key for entry in open_bucket(source).entries()] == ["pug/1.jpg"]


@pytest.mark.parametrize("word", [ANSWER, SENT, SENT[:12].upper()])
def test_whoever_sent_a_picture_can_name_it(tmp_path: Path, word: str) -> None:
    """The id of the answer and the hash of the file that was sent name a picture, whose own bytes are a clean copy."""
    inbox, source, data = Inbox(str(tmp_path / "box")), str(tmp_path / "photos"), b"\xff\xd8\xff mine"
    Path(source).mkdir()
    fill(inbox)
    inbox.put(replace(make_record(data), answer=ANSWER, sent=SENT), data)
    assert [picture.record.answer for picture in list_pictures(inbox, image=word).pictures] == [ANSWER]
    withdrawn = withdraw(inbox, source, word)
    assert (withdrawn.image, withdrawn.kept) == (sha256_of_bytes(data), True)
    assert len(inbox.listing()) == len(PICTURES)


def test_twelve_digits_name_a_picture(tmp_path: Path) -> None:
    """Fewer digits, digits of none and of several do nothing; all digits of one that never came keep it out."""
    inbox, source = Inbox(str(tmp_path / "box")), str(tmp_path / "photos")
    Path(source).mkdir()
    images = fill(inbox)
    for word in (images[0][:11], "0" * 12, "pug.jpg"):
        with pytest.raises(SettingsError, match=r"is no picture|holds no picture"):
            withdraw(inbox, source, word)
    inbox.objects.create(f"withdrawn/{images[0][:20]}{'0' * 44}", b"")
    with pytest.raises(AmbiguousError, match="fits 2 pictures"):
        withdraw(inbox, source, images[0][:12])
    assert len(inbox.listing()) == len(images)
    data = b"\xff\xd8\xff later"
    assert withdraw(inbox, source, sha256_of_bytes(data)).kept is False
    assert not inbox.put(make_record(data), data)
