"""Kept values stay within their bounds, and whoever asks gets what belongs to the key."""

from dataclasses import dataclass

from tasks.stores.kept import KeptValues


@dataclass
class Value:
    """Something that takes memory."""

    name: str
    nbytes: int


def test_values_that_nobody_asked_for_longest_make_room() -> None:
    """Of three values two fit by their number, of two one by its size; what is too large by itself is not kept."""
    kept, read = KeptValues(2, 10), list[str]()

    def get(name: str, size: int = 1) -> Value:
        def make() -> Value:
            read.append(name)
            return Value(name, size)

        return kept.get(name, make)

    assert [get(name).name for name in "aabac"] == list("aabac")
    assert read == list("abc")
    assert (get("b").name, get("a", 10).name, get("d", 11).name, get("d", 11).name) == ("b", "a", "d", "d")
    assert read == list("abcbadd")
    assert get("a", 10).name == "a"
    get("a").nbytes = 11
    get("e")
    get("a")
    assert read == list("abcbaddaea")
