"""How one listing differs from the next."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.ingestion.source_objects import Entry
from tasks.stores.tables.listings import changes, entries_of, replay, without
from tests.listings import in_columns

entries = st.lists(
    st.builds(Entry, st.text(max_size=3), st.sampled_from("ab"), st.integers(0, 2), st.just(""), st.sampled_from("12")),
    unique_by=lambda entry: entry.key,
)


def nothing() -> pa.Table:
    """Make a listing of nothing."""
    return in_columns([])


@given(entries, entries)
def test_replaying_the_changes_gives_the_listing(before: list[Entry], after: list[Entry]) -> None:
    """What a listing differs in, applied to the one before, is that listing again, sorted by key."""
    first = changes(nothing(), in_columns(before))
    history = pa.concat_tables([first, changes(replay(first), in_columns(after))])
    assert list(entries_of(replay(history))) == sorted(after)


@given(entries)
def test_the_same_listing_differs_in_nothing(listed: list[Entry]) -> None:
    """A listing compared with itself has no changes, in whatever order it comes."""
    assert changes(in_columns(listed), in_columns(reversed(listed))).num_rows == 0


@given(entries, entries)
def test_only_differences_are_changes(before: list[Entry], after: list[Entry]) -> None:
    """Gone keys come first, then new and replaced entries, each by key; what stayed is not among them."""
    difference = changes(in_columns(before), in_columns(after))
    gone = sorted(entry for entry in before if entry.key not in {entry.key for entry in after})
    came = sorted(set(after) - set(before))
    assert list(entries_of(difference)) == gone + came
    assert difference["present"].to_pylist() == [False] * len(gone) + [True] * len(came)


@given(entries, entries)
def test_what_is_done_is_taken_away(listed: list[Entry], done: list[Entry]) -> None:
    """Entries whose content is done are left out, whenever they were written; the others stay, sorted by key."""
    identities = {entry.identity for entry in done}
    remaining = without(in_columns(listed), in_columns([*done, *done]))
    assert list(entries_of(remaining)) == sorted(entry for entry in listed if entry.identity not in identities)


def test_writing_the_same_again_is_a_change_of_the_same_object() -> None:
    """An object that was written again with the same bytes is listed as changed, but its content is known."""
    old, new = (Entry("a", "1", 10, "", time) for time in ("monday", "tuesday"))
    assert list(entries_of(changes(in_columns([old]), in_columns([new])))) == [new]
    assert old.identity == new.identity
