"""How one listing differs from the next."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.listing import Change, Entry, changes, replay

entries = st.lists(
    st.builds(Entry, st.text(max_size=3), st.sampled_from("ab"), st.integers(0, 2), st.just(""), st.just("now")),
    unique_by=lambda entry: entry.key,
)


@given(entries, entries)
def test_replaying_the_changes_gives_the_listing(before: list[Entry], after: list[Entry]) -> None:
    """What a listing differs in, applied to the one before, is that listing again."""
    known = {entry.key: entry for entry in before}
    history = [Change(entry, present=True) for entry in before] + changes(known, after)
    assert {entry.identity for entry in replay(history).values()} == {entry.identity for entry in after}


@given(entries)
def test_the_same_listing_differs_in_nothing(listed: list[Entry]) -> None:
    """A listing compared with itself has no changes, in whatever order it comes."""
    assert changes({entry.key: entry for entry in listed}, reversed(listed)) == []


def test_writing_the_same_again_is_a_change_of_the_same_object() -> None:
    """An object that was written again with the same bytes is listed as changed, but its content is known."""
    old, new = (Entry("a", "1", 10, "", time) for time in ("monday", "tuesday"))
    assert changes({"a": old}, [new]) == [Change(new, present=True)]
    assert old.identity == new.identity
