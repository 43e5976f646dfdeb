"""Laws of comparing versions, and of naming them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import SettingsError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_diff import VersionDiff, diff_versions, resolve_version, sort_versions
from tasks.domain.datasets.version_rows import dataset_hash

attributes = st.dictionaries(st.sampled_from(["coat", "light"]), st.sampled_from(["white", "пёстрый"])).map(
    lambda attributes: tuple(attributes.items())
)
rows = st.builds(
    Row, st.sampled_from("abcdefgh"), st.sampled_from(["poodle", "pug"]), st.sampled_from(Split), attributes, st.text()
)
manifests = st.lists(rows, max_size=8, unique_by=lambda row: row.image)


def applied(diff: VersionDiff, before: list[Row]) -> list[Row]:
    """Do to a version what the difference says, and nothing else."""
    after = {row.image: row for row in before}
    for row in diff.removed:
        del after[row.image]
    for row in diff.added:
        assert row.image not in after
        after[row.image] = row
    for pair in (*diff.relabelled, *diff.resplit, *diff.redescribed):
        assert pair.before == next(row for row in before if row.image == pair.before.image)
        after[pair.after.image] = pair.after
    return list(after.values())


@given(manifests)
def test_a_version_does_not_differ_from_itself(manifest: list[Row]) -> None:
    """Nothing differs between a version and itself, in whatever order rows and attributes come."""
    turned = [Row(row.image, row.label, row.split, row.attributes[::-1], "elsewhere") for row in reversed(manifest)]
    assert diff_versions(manifest, turned) == VersionDiff((), (), (), (), ())


@given(manifests, manifests)
def test_a_difference_leads_from_one_version_to_the_other(before: list[Row], after: list[Row]) -> None:
    """Doing to a version what the difference names gives the other one, by its hash."""
    assert dataset_hash(applied(diff_versions(before, after), before)) == dataset_hash(after)


@given(manifests, manifests)
def test_a_difference_looked_at_from_the_other_side(before: list[Row], after: list[Row]) -> None:
    """What is added in one direction is removed in the other, and every change turns around."""
    diff, back = diff_versions(before, after), diff_versions(after, before)
    assert (diff.added, diff.removed) == (back.removed, back.added)
    for forth, home in ((diff.relabelled, back.relabelled), (diff.resplit, back.resplit)):
        assert [(pair.before, pair.after) for pair in forth] == [(pair.after, pair.before) for pair in home]


def test_a_difference_in_plain_values() -> None:
    """Each change is named by its image and key, with what it was and what it is."""
    before = Row("a", "pug", Split.TRAIN, (("coat", "white"),), "p/1")
    after = Row("a", "boxer", Split.HELD_OUT, (), "b/1")
    result = diff_versions([before], [after]).to_dict()
    assert result["relabelled"] == [{"image": "a", "before": "pug", "after": "boxer", "key": "b/1"}]
    assert result["resplit"] == [{"image": "a", "before": "train", "after": "held-out", "key": "b/1"}]
    assert result["redescribed"] == [{"image": "a", "before": {"coat": "white"}, "after": {}, "key": "b/1"}]
    assert diff_versions([], [before]).to_dict()["added"] == [
        {"image": "a", "label": "pug", "split": "train", "attributes": {"coat": "white"}, "key": "p/1"}
    ]


@given(st.lists(st.text("ab", min_size=64, max_size=64), min_size=1, unique=True), st.data())
def test_any_digits_that_fit_one_version_name_it(names: list[str], data: st.DataObject) -> None:
    """Digits of a hash find its version, or are refused because they fit another one as well; never a wrong one."""
    name = data.draw(st.sampled_from(names))
    word = name[: data.draw(st.integers(4, 64))]
    if sum(name.startswith(word) for name in names) == 1:
        assert resolve_version(word, names) == resolve_version(word.upper(), names) == name
    else:
        with pytest.raises(SettingsError, match="give more digits"):
            resolve_version(word, names)


@pytest.mark.parametrize(
    ("word", "words"), [("abc", "at least 4"), ("../x", "at least 4"), ("abcd", "no version abcd")]
)
def test_words_that_name_no_version(word: str, words: str) -> None:
    """Too few digits, other letters and unknown digits are each refused in words."""
    with pytest.raises(SettingsError, match=words):
        resolve_version(word, ["0" * 64])


def test_the_latest_is_the_one_decided_last() -> None:
    """Versions stand in the order of their decisions, which outlive the times of files in a copied store."""
    written = {"a": "2026-11-03", "b": "2026-11-03", "c": "2026-11-03T05"}
    assert sort_versions(written, {"a": "2026-11-02", "b": "2026-11-01"}) == ["b", "a", "c"]
    assert resolve_version("latest", ["b", "a", "c"]) == "c"
