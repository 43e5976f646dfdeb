"""The collector keeps what is worth a label and nothing without consent, within its bounds, whatever comes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from configs.servers import Inbox as InboxSettings
from tasks.domain.images.near_duplicates import group_near_duplicates
from tasks.domain.serving.inbox.consent import Consent
from tasks.domain.serving.inbox.feedback import Feedback, Verdict
from tasks.domain.serving.inbox_record import InboxRecord
from tasks.service.collecting.collector import HOLD_SECONDS, Collector
from tasks.service.collecting.held_pictures import HeldPicture
from tasks.service.metrics import Metrics
from tasks.service.models.served_model import Observation
from tasks.stores.inbox import Inbox
from tasks.stores.objects.s3_client import s3_client
from tests.servers import Ceph, free_port
from tests.tasks.service.collecting.live import observe
from tests.tls import passing_on

# The end of a day, when all its places are open.
EVENING = 1_799_971_200.0 + 86_399


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        """Begin in the evening."""
        self.moment = EVENING

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        return self.moment


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands."""
    return Clock()


def collect(url: str | Path, clock: Clock, disputed: Iterable[str] = (), **settings: object) -> Collector:
    """Return a collector of an inbox, whose thread does not run."""
    section = InboxSettings.model_validate({"random_share": 0, **settings, "url": str(url)})
    names, log = set(disputed), list[str]()
    return Collector(
        section, Inbox(str(url)), lambda picture: picture.answer in names, b"salt", Metrics(), log.append, clock
    )


def read_inbox(url: str | Path) -> list[InboxRecord]:
    """Return what the inbox holds."""
    inbox = Inbox(str(url))
    return inbox.read_all(inbox.listing())[0]


def counted(collector: Collector, result: str) -> float:
    """Return how many photographs had this end."""
    return float(collector.metrics._inbox.labels(result)._value.get())


def test_a_thousand_requests_and_floods_keep_within_all_bounds(tmp_path: Path, clock: Clock) -> None:
    """Half agree, and one picture floods in with ever other bytes: none without consent, no duplicates, few a day."""
    collector = collect(tmp_path, clock, per_day=12, random_share=0.05, megabytes=1)
    seen: dict[str, Observation] = {}
    for number in range(1000):
        consent = Consent.GIVEN if number % 2 else Consent.ASKED if number % 4 else Consent.NONE
        flood = number if number % 10 < 5 else 5000
        sighting = observe(number, consent, like=flood, sure=number % 3 > 0, unusual=0.999 if number % 7 == 0 else 0.1)
        seen[sighting.answer] = sighting
        collector.observe(sighting)
        assert collector._held.size <= 2**20
        if number % 250 == 0:
            collector.look()
    collector.look()
    collector.look()
    records = read_inbox(tmp_path)
    assert len(records) == 12
    assert {seen[record.answer].consent for record in records} == {Consent.GIVEN}
    assert [record.sent for record in records] == [seen[record.answer].image for record in records]
    hashes = {record.image: bytes.fromhex(record.phash) for record in records}
    assert len(set(group_near_duplicates(hashes, 72).values())) == 12
    assert sum("random" in record.reasons for record in records) <= 6
    reasons = Counter(reason for record in records for reason in record.reasons)
    assert {"unsure", "unusual"} <= reasons.keys()
    again = collect(tmp_path, clock, per_day=12)
    again.observe(observe(7777))
    again.look()
    assert len(read_inbox(tmp_path)) == 12
    clock.moment += 86_400
    again.look()
    assert len(read_inbox(tmp_path)) == 13


def test_nothing_is_kept_that_nobody_agreed_to_or_that_nothing_speaks_for(tmp_path: Path, clock: Clock) -> None:
    """A photograph of the page waits for consent and is forgotten without it; a sure and ordinary one is not kept."""
    collector = collect(tmp_path, clock)
    for number, consent in enumerate((Consent.ASKED, Consent.NONE)):
        collector.observe(observe(number, consent))
    ordinary = observe(2, sure=True)
    collector.observe(ordinary)
    collector.look()
    assert read_inbox(tmp_path) == []
    assert [collector.holds(observe(number).answer) for number in range(3)] == [True, False, True]
    clock.moment += HOLD_SECONDS + 1
    collector.look()
    assert not any(collector.holds(observe(number).answer) for number in range(3))
    assert collector._held.size == 0
    assert (read_inbox(tmp_path), counted(collector, "ordinary")) == ([], 1)


def test_consent_and_contradiction_come_with_feedback(tmp_path: Path, clock: Clock) -> None:
    """Who agrees below the answer has it kept; wrong makes a reason of its own, also where it comes after keeping."""
    collector = collect(tmp_path, clock)
    sure, unsure = observe(1, Consent.ASKED, sure=True), observe(2)
    for seen in (sure, unsure):
        collector.observe(seen)
    collector.agree(sure.answer)
    collector.judge(sure.answer, Feedback(Verdict.WRONG, "pug"))
    collector.look()
    collector.judge(unsure.answer, Feedback(Verdict.WRONG, "pug"))
    collector.look()
    records = {record.answer: record for record in read_inbox(tmp_path)}
    assert records[sure.answer].reasons == ("contradicted",)
    assert records[unsure.answer].reasons == ("unsure",)
    assert [(record.wrong, record.claimed, record.guess) for record in records.values()] == [
        (True, "pug", "beagle")
    ] * 2


def test_disputed_pictures_are_kept_and_withdrawn_ones_go(tmp_path: Path, clock: Clock) -> None:
    """Where the challenger differs a sure answer is worth a label; who takes consent back is heard at any time."""
    disputed, early, late = observe(1, sure=True), observe(2), observe(3)
    collector = collect(tmp_path, clock, [disputed.answer])
    collector.observe(disputed)
    collector.observe(early)
    collector.withdraw(early.answer)
    collector.observe(late)
    collector.look()
    assert {record.answer: record.reasons for record in read_inbox(tmp_path)} == {
        disputed.answer: ("disputed",),
        late.answer: ("unsure",),
    }
    collector.withdraw(late.answer)
    collector.look()
    assert [record.answer for record in read_inbox(tmp_path)] == [disputed.answer]
    collector.observe(replace(late, answer=early.answer))
    collector.look()
    assert [record.answer for record in read_inbox(tmp_path)] == [disputed.answer]


def test_near_duplicates_of_what_is_kept_stay_out_also_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    """A service that was started anew, and any other one with the same inbox, knows what the day has kept."""
    first, second = collect(tmp_path, clock), collect(tmp_path, clock)
    first.observe(observe(1))
    first.look()
    for number, collector in ((2, first), (3, second)):
        collector.observe(observe(number, like=1))
        collector.look()
        assert counted(collector, "duplicate") == 1
    assert len(read_inbox(tmp_path)) == 1


def test_what_is_said_while_a_picture_is_written_is_not_lost(tmp_path: Path, clock: Clock) -> None:
    """Between the choice of a picture and its record somebody calls the answer wrong, or takes consent back."""
    wrong, withdrawn = observe(1), observe(2)
    collector = collect(tmp_path, clock)

    def interrupt(picture: HeldPicture) -> bool:
        if picture.answer == wrong.answer:
            collector.judge(wrong.answer, Feedback(Verdict.WRONG, "pug"))
        else:
            collector.withdraw(withdrawn.answer)
        return False

    collector.is_disputed = interrupt
    for seen in (wrong, withdrawn):
        collector.observe(seen)
    collector.look()
    collector.look()
    assert [(record.answer, record.claimed) for record in read_inbox(tmp_path)] == [(wrong.answer, "pug")]


def test_a_place_that_cannot_be_written_costs_nothing_but_memory(tmp_path: Path, clock: Clock) -> None:
    """While the inbox is away pictures wait within bounds, and it is said; once it is back the best are kept."""
    folder = tmp_path / "inbox"
    folder.write_text("This is no folder.")
    collector = collect(folder, clock, megabytes=1, per_day=50)
    for number in range(300):
        collector.observe(observe(number))
        assert collector._held.size <= 2**20
    collector.look()
    described = collector.describe()
    assert described
    assert described["unreachable"]
    assert "pedigree_inbox_unreachable 1.0" in collector.metrics.render().decode()
    assert counted(collector, "dropped") > 0
    folder.unlink()
    collector.look()
    described = collector.describe()
    assert described
    assert "unreachable" not in described
    assert len(read_inbox(folder)) == 50


def test_a_bucket_that_was_away_is_written_once_it_is_back(
    s3_bucket: str, ceph: Ceph, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very client that nobody answered goes on when the S3 server is there again; nothing was lost meanwhile."""
    port = free_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    s3_client.cache_clear()
    try:
        collector = collect(s3_bucket, clock)
        collector.observe(observe(1))
        collector.look()
        collector.observe(observe(2))
        assert "cannot be reached" in collector.unreachable or str(port) in collector.unreachable
        with passing_on(ceph.endpoint, port):
            collector.look()
            assert (collector.unreachable, collector._held.size) == ("", 0)
            assert {record.answer for record in read_inbox(s3_bucket)} == {observe(1).answer, observe(2).answer}
    finally:
        s3_client.cache_clear()
