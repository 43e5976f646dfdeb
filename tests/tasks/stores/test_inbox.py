"""The inbox on a folder and on S3: what is kept once, marked, withdrawn, and never half there."""

from dataclasses import replace
from pathlib import Path

import pytest

from configs.errors import PedigreeError, SettingsError
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.serving.inbox_record import InboxPicture, InboxRecord, InboxState
from tasks.stores.inbox import DamagedPictureError, Inbox, open_inbox

DATA = b"\xff\xd8\xff a picture"
DAY, NEXT_DAY = "2026-11-28", "2026-11-29"


def make_record(data: bytes = DATA, day: str = DAY) -> InboxRecord:
    """Return the record of a picture about which the model was not sure."""
    return InboxRecord(
        image=sha256_of_bytes(data),
        day=day,
        extension="jpg",
        answer="01JXAMPLE",
        model="4@c473",
        guess="pug",
        probabilities={"pug": 0.6, "boxer": 0.4},
        sure=False,
        unusual=0.5,
        reasons=("unsure",),
        consented=f"{day}T12:00:00+00:00",
    )


def test_a_picture_is_kept_once_with_its_record(url: str) -> None:
    """A picture and its record come back as they were kept, and sending it again on another day keeps nothing more."""
    inbox, record = Inbox(url), make_record()
    assert inbox.listing() == []
    assert inbox.put(record, DATA)
    assert not inbox.put(record, DATA)
    assert not inbox.put(replace(record, day=NEXT_DAY, guess="boxer"), DATA)
    assert inbox.listing() == [InboxPicture(DAY, record.image, InboxState.WAITING)]
    assert (inbox.count(DAY), inbox.count(NEXT_DAY), inbox.find(record.image)) == (1, 0, DAY)
    assert inbox.read_all(inbox.listing()) == ([record], [])
    assert inbox.picture(record) == DATA
    assert (record.key, record.probability) == (f"inbox/{DAY}/{record.image}.jpg", 0.6)


def test_an_interrupted_call_is_finished_by_the_next(url: str) -> None:
    """What has no record yet is not listed, and the next call for the same picture finishes it on the day it began."""
    inbox, record = Inbox(url), make_record()
    inbox.objects.create(f"kept/{record.image}", DAY.encode())
    inbox.objects.create(record.key, DATA)
    assert inbox.listing() == []
    assert inbox.put(replace(record, day=NEXT_DAY), DATA)
    assert inbox.read_all(inbox.listing()) == ([record], [])


def test_marks_say_what_became_of_a_picture(url: str) -> None:
    """A picture waits, is exported and then accepted, and a mark is never taken back by a lesser one."""
    inbox = Inbox(url)
    for data in (DATA, b"other"):
        inbox.put(make_record(data), data)
    first, second = inbox.listing(DAY)
    inbox.mark([first], InboxState.EXPORTED)
    inbox.mark([first], InboxState.ACCEPTED)
    inbox.mark([first, second], InboxState.EXPORTED)
    assert [picture.state for picture in inbox.listing()] == [InboxState.ACCEPTED, InboxState.EXPORTED]
    assert inbox.listing(NEXT_DAY) == []


def test_the_first_contradiction_stands(url: str) -> None:
    """What a person says later about a kept picture is read with its record; of what is not kept nothing is noted."""
    inbox, record = Inbox(url), make_record()
    assert not inbox.contradict(record.image, "boxer")
    inbox.put(record, DATA)
    assert inbox.contradict(record.image, "boxer")
    assert not inbox.contradict(record.image, "poodle")
    assert inbox.read_all(inbox.listing()) == ([replace(record, wrong=True, claimed="boxer")], [])


def test_a_withdrawn_picture_never_comes_back(url: str) -> None:
    """Withdrawing removes all that is kept of a picture, nothing of others, and keeps it out from then on."""
    inbox, record = Inbox(url), make_record()
    for data in (DATA, b"other"):
        inbox.put(make_record(data), data)
    inbox.contradict(record.image, "boxer")
    inbox.mark(inbox.listing(), InboxState.EXPORTED)
    assert inbox.withdraw(record.image)
    assert not inbox.withdraw(record.image)
    assert not inbox.put(record, DATA)
    assert not inbox.put(replace(record, day=NEXT_DAY), DATA)
    keys = [entry.key for entry in inbox.objects.entries() if record.image in entry.key]
    assert keys == [f"withdrawn/{record.image}"]
    assert [picture.image for picture in inbox.listing()] == [sha256_of_bytes(b"other")]


def test_a_withdrawal_overtakes_a_call_that_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that is withdrawn while it is being written is gone afterwards."""
    inbox, record = Inbox(str(tmp_path)), make_record()
    create = inbox.objects.create

    def create_after_withdrawal(key: str, data: bytes) -> bool:
        if key == record.key:
            Inbox(str(tmp_path)).withdraw(record.image)
        return create(key, data)

    monkeypatch.setattr(inbox.objects, "create", create_after_withdrawal)
    assert not inbox.put(record, DATA)
    assert [entry.key for entry in inbox.objects.entries()] == [f"withdrawn/{record.image}"]


@pytest.mark.parametrize(
    ("ending", "content"),
    [("json", "{"), ("json", "[]"), ("json", '{"image": 1}'), ("said", "{}"), ("jpg", "another picture")],
)
def test_damage_is_named_with_the_way_out(tmp_path: Path, ending: str, content: str) -> None:
    """A damaged file is one sentence that names it, and the command that removes its picture."""
    inbox, record = Inbox(str(tmp_path)), make_record()
    inbox.put(record, DATA)
    (tmp_path / "inbox" / DAY / f"{record.image}.{ending}").write_text(content)
    with pytest.raises(DamagedPictureError, match=rf"{record.image}\.{ending} .*inbox forget {record.image}"):
        inbox.picture(inbox.read(inbox.listing()[0]))


def test_a_record_of_a_newer_pedigree_is_no_damage(tmp_path: Path) -> None:
    """A record that says more than this Pedigree knows asks for an update."""
    inbox, record = Inbox(str(tmp_path)), make_record()
    inbox.put(record, DATA)
    path = tmp_path / "inbox" / DAY / f"{record.image}.json"
    path.write_text(path.read_text().replace("{", '{"later": 1,', 1))
    with pytest.raises(PedigreeError, match="newer Pedigree, which knows later"):
        inbox.read_all(inbox.listing())


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("s3://dogs/in", "s3://dogs/in/"),
        ("s3://dogs/in/box", "s3://dogs/in"),
        ("s3://dogs", "s3://dogs/in"),
        ("/photos/../photos/in", "file:///photos"),
    ],
)
def test_an_inbox_shares_nothing_with_source_and_store(url: str, other: str) -> None:
    """An inbox inside the source or store, or around it, is a wrong setting, and so is none."""
    with pytest.raises(SettingsError, match=r"in one another: set inbox\.url"):
        open_inbox(url, ["s3://elsewhere", other])
    with pytest.raises(SettingsError, match=r"set inbox\.url"):
        open_inbox("", [other])
    assert open_inbox("s3://dogs/inbox", ["s3://dogs/in", "", "/photos"]).url == "s3://dogs/inbox"
