"""When uploads are a reason to retrain, and that no upload is missed or counted twice."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Labels
from configs.sections import Watch
from tasks.domain.ingestion.live_drift import LiveDrift
from tasks.domain.ingestion.source_objects import Entry
from tasks.domain.ingestion.triggers import PollResult, SourceChanges, SourceDiff, classify_changes, decide_retraining

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
WATCH = Watch(settle_minutes=10, new_images=3, longest_wait_hours=24)
MORNING = (NOON - timedelta(hours=6)).isoformat()


def entry(key: str, content: str = "", minutes: float = 60) -> Entry:
    """Make an entry that was written so many minutes before noon."""
    return Entry(key, content or key, 1, "", (NOON - timedelta(minutes=minutes)).isoformat())


def count_changes(
    before: Sequence[Entry], after: Sequence[Entry], labels: Labels | None = None, minimum: int = 100
) -> SourceChanges:
    """Say what turns one listing into another means."""
    entries, listed = {entry.key: entry for entry in before}, {entry.key: entry for entry in after}
    came = [entry for entry in after if entries.get(entry.key) != entry]
    difference = SourceDiff(
        [entry for entry in before if entry.key not in listed],
        came,
        {entry.key: entries[entry.key] for entry in came if entry.key in entries},
    )
    return classify_changes(difference, labels or Labels(), minimum, listed)


def looked(before: Sequence[Entry], after: Sequence[Entry], answered: str = MORNING) -> PollResult:
    """Decide at noon."""
    return decide_retraining(count_changes(before, after), WATCH, NOON, answered, "key")


@pytest.mark.parametrize(
    ("after", "state", "message"),
    [
        ([], "Nothing new", "no image came and no label changed since the retraining of 2026-11-25 06:00 (UTC)"),
        ([entry("a/1")], "Not yet", "1 new image, 3 are enough; the oldest has waited 60 minutes of 24 hours"),
        ([entry(f"a/{n}") for n in range(3)], "Started", "3 new images, 3 are enough"),
        ([entry(f"a/{n}", minutes=4) for n in range(3)], "Not yet", "the last upload was 4 minutes ago"),
        ([entry(f"a/{n}", minutes=60 - 10_000 * n) for n in range(3)], "Started", "3 new images, 3 are enough"),
    ],
)
def test_a_look_says_in_one_line_why_it_did_or_did_not(after: list[Entry], state: str, message: str) -> None:
    """Enough images start a retraining when uploads are quiet; a time far in the future holds nothing up."""
    look = looked([], after)
    assert (look.state, message in look.why, "\n" in look.why) == (state, True, False), look.why
    assert (look.key == "key") == (state == "Started")


def test_drift_is_a_reason_with_a_label_and_else_labels_are_wanted() -> None:
    """One labelled photograph is enough then, and without any nothing starts; an image without a label is none."""
    drift = LiveDrift("2026-11-24", "4", ("look",), "200 live pictures look unlike the test images", "dark ones")

    def decide(*after: Entry) -> PollResult:
        return decide_retraining(count_changes([], after), WATCH, NOON, MORNING, "key", drift)

    assert (decide().state, decide().unanswered, decide().key) == ("Nothing new", drift, "")
    assert decide(entry("loose.jpg")).unanswered == drift
    labelled = decide(entry("a/1"))
    assert (labelled.state, labelled.unanswered, labelled.key) == ("Started", None, "key")
    assert labelled.why.endswith("unlike the test images, and 1 label came since the last retraining")
    assert decide(entry("a/1", minutes=4)).state == "Not yet", "whoever uploads now is waited for"
    assert decide(*(entry(f"{n}.jpg") for n in range(3))).key == "key", "other reasons hold as without drift"


def test_the_oldest_waits_no_longer_than_the_settings_say() -> None:
    """Uploads that never end, and too few of them, are learned from a day after the last retraining."""
    drip = [entry("a/1", minutes=60 * 25), entry("a/2", minutes=0)]
    assert looked([], drip).state == "Not yet", "it was new six hours ago at the earliest"
    late = looked([], drip, (NOON - timedelta(hours=24)).isoformat())
    assert (late.state, "the oldest has waited 24 hours" in late.why) == ("Started", True)


def test_a_class_counts_when_it_becomes_complete_and_never_again() -> None:
    """One image more is a reason where its class has enough with it; the next one is not; aliases are one class."""
    labels = Labels(aliases={"toy": "poodle"}, leave_out=("cat",))
    poodles = [entry("poodle/1"), entry("toy/2"), entry("Toy/3")]
    assert count_changes(poodles[:2], poodles, labels, 3).complete == ("poodle",)
    assert count_changes(poodles, [*poodles, entry("poodle/4")], labels, 3).complete == ()
    assert count_changes([], [entry(f"cat/{n}") for n in range(3)], labels, 3).complete == ()


def test_labelled_pictures_of_the_inbox_are_uploads_like_others() -> None:
    """They are new images with labels, of no class by their folder; their file of labels alone is a changed label."""
    file, other = entry("pedigree-inbox/labels-1.jsonl"), entry("pedigree-inbox/labels-2.jsonl")
    pictures = [entry(f"pedigree-inbox/{number}.jpg") for number in range(3)]
    came = count_changes([entry("pug/1")], [entry("pug/1"), file, *pictures], minimum=2)
    assert (came.new, came.relabelled, came.labelled, came.complete) == (3, 0, 3, ())
    corrected = count_changes([file, *pictures], [other, *pictures])
    assert (corrected.new, corrected.relabelled, corrected.labelled) == (0, 1, 0)


@pytest.mark.parametrize(
    ("labels", "before", "after", "expected"),
    [
        (Labels(), [entry("a/1", "x")], [entry("b/1", "x")], (0, 1)),
        (Labels(), [entry("a/1", "x")], [entry("a/2", "x")], (0, 0)),
        (Labels(), [entry("a/1", "x")], [entry("a/1", "y")], (1, 0)),
        (Labels(), [entry("a/1", "x")], [entry("a/1", "x", 5)], (0, 0)),
        (Labels(sources=("metadata",)), [entry("1", "x")], [entry("1", "x", 5)], (0, 1)),
        (Labels(sources=("manifest",), manifest="m.csv"), [entry("m.csv", "x")], [entry("m.csv", "y")], (0, 1)),
        (Labels(), [entry("a/1", "x")], [], (0, 0)),
    ],
)
def test_a_label_that_changed_is_no_new_image(
    labels: Labels, before: list[Entry], after: list[Entry], expected: tuple[int, int]
) -> None:
    """Moved to another class, rewritten metadata, another manifest are labels; a new name or a removal is neither."""
    changes = count_changes(before, after, labels)
    assert (changes.new, changes.relabelled) == expected
    assert len(changes.times) == sum(expected)


contents = st.dictionaries(
    st.sampled_from([f"{folder}/{n}" for folder in "ab" for n in range(4)]), st.sampled_from("uvwxyz")
)
steps = st.lists(st.tuples(contents, st.sampled_from(["look", "lost", "twice", "retrain"])), max_size=12)


@given(steps)
def test_no_upload_is_missed_or_counted_twice(story: list[tuple[Mapping[str, str], str]]) -> None:
    """Whatever comes when, and whichever looks are lost or doubled: what no retraining saw is new, all else is not."""
    answered: list[Entry] = []
    for contents_now, event in story:
        listing = [entry(key, f"{key}{content}") for key, content in sorted(contents_now.items())]
        if event == "lost":
            continue
        first = count_changes(answered, listing)
        assert first.new == len(set(listing) - set(answered))
        assert event != "twice" or count_changes(answered, listing) == first
        if event == "retrain":
            answered = listing
            assert count_changes(answered, listing).times == ()
