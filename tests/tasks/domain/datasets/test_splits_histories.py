"""Splits over many runs, some at once, that add, copy, bridge, relabel, remove and bring back pictures: for life."""

from random import Random

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tasks.domain.datasets.assignments import filter_valid_splits
from tasks.domain.datasets.splits import Assignment, Shares, Split, assign_splits
from tasks.domain.images.near_duplicates import group_near_duplicates
from tests.tasks.domain.picture_hashes import DETAIL, OUTLINE, alike, between, flipped, hashes, near

BITS = 72
SHARES = Shares(test=20, validation=15)
USED = (Split.TRAIN, Split.VALIDATION, Split.TEST)
prefixes = st.text("0123456789abcdef", min_size=4, max_size=4)
labels = st.sampled_from(["poodle", "pug"])


_SPLITS = pa.schema([("place", pa.int64()), ("image", pa.string()), ("group", pa.string()), ("split", pa.string())])


class Runs(RuleBasedStateMachine):
    """A source that people change as they like, and a store that remembers every image it ever gave a split."""

    images = Bundle("images")
    runs = Bundle("runs")

    def __init__(self) -> None:
        """Begin with an empty source and an empty store."""
        super().__init__()
        self.looks: dict[str, bytes] = {}
        self.source: dict[str, str] = {}
        self.written: list[tuple[int, str, str, str]] = []
        self.assignments: dict[str, Assignment] = {}
        self.first_said: dict[str, Assignment] = {}

    def _arrives(self, prefix: str, look: bytes, label: str) -> str:
        image = f"{prefix}{len(self.looks):03}"
        self.looks[image], self.source[image] = look, label
        return image

    @rule(target=images, prefix=prefixes, look=hashes, label=labels)
    def a_picture_arrives(self, prefix: str, look: bytes, label: str) -> str:
        """Add a picture like no other."""
        return self._arrives(prefix, look, label)

    @rule(target=images, prefix=prefixes, old=images, label=labels, data=st.data())
    def a_near_copy_arrives(self, prefix: str, old: str, label: str, data: st.DataObject) -> str:
        """Add a picture that is just alike, or just not."""
        return self._arrives(prefix, data.draw(near(self.looks[old], BITS)), label)

    @rule(target=images, prefix=prefixes, old=images, label=labels, random=st.randoms(use_true_random=False))
    def a_relative_arrives(self, prefix: str, old: str, label: str, random: Random) -> str:
        """Add a picture that is not alike, but so near that another can stand between the two."""
        bits = [*random.sample(OUTLINE, random.randint(0, 10)), *random.sample(DETAIL, random.randint(90, 120))]
        return self._arrives(prefix, flipped(self.looks[old], bits), label)

    @rule(target=images, prefix=prefixes, first=images, second=images, label=labels)
    def a_bridge_arrives(self, prefix: str, first: str, second: str, label: str) -> str:
        """Add a picture halfway between two others, alike to both where they are relatives."""
        return self._arrives(prefix, between(self.looks[first], self.looks[second]), label)

    @rule(image=images, label=labels)
    def the_same_bytes_arrive(self, image: str, label: str) -> None:
        """Add an exact duplicate, or bring a removed image back, or relabel it: to the store it is the same image."""
        self.source[image] = label

    @rule(image=images)
    def a_picture_is_removed(self, image: str) -> None:
        """Remove a picture from the source; what the store knows of it stays."""
        self.source.pop(image, None)

    @rule(target=runs)
    def a_run_chooses(self) -> tuple[int, dict[str, Assignment]]:
        """Choose the splits of what has none, as the step assemble does, and do not write them down yet."""
        assignments = self.assignments
        if self.source.keys() <= assignments.keys():
            return len(self.written), {}
        everyone = {image: self.looks[image] for image in self.source.keys() | assignments.keys()}
        together = group_near_duplicates(everyone, BITS)
        fresh = assign_splits(together, assignments, SHARES, self.source)
        assert not fresh.keys() & assignments.keys()
        for image in (image for image, assignment in fresh.items() if assignment.split is Split.HELD_OUT):
            company = {assignments[other].split for other in assignments if together[other] == together[image]}
            assert len(company & set(USED)) > 1, "an image is held out only where its group stands on both sides"
        return len(self.written), fresh

    @rule(run=consumes(runs))
    def a_run_writes(self, run: tuple[int, dict[str, Assignment]]) -> None:
        """Write down what was chosen, however many other runs have written since."""
        number, fresh = run
        self.written += [
            (index, image, assignment.group, assignment.split.value)
            for index, (image, assignment) in enumerate(fresh.items(), number)
        ]
        rows = [dict(zip(_SPLITS.names, row, strict=True)) for row in self.written]
        self.assignments = dict(filter_valid_splits(pa.Table.from_pylist(rows, _SPLITS)))
        self.first_said = self.assignments | self.first_said

    @rule()
    def a_run_passes(self) -> None:
        """Choose and write with no other run in between."""
        self.a_run_writes(self.a_run_chooses())
        assert self.source.keys() <= self.assignments.keys()

    @invariant()
    def every_split_is_the_first_that_was_given(self) -> None:
        """No image ever changes its split, whatever happens to it and to others."""
        assert self.assignments == self.first_said

    @invariant()
    def no_group_is_on_both_sides(self) -> None:
        """No two images that were ever given to use look alike and stand on different sides.

        So no group of such images stands on both sides, with no exception. A picture that came later and is alike to
        both sides would join them, but it is held out, and what is held out is used for nothing.
        """
        used = sorted(image for image, item in self.assignments.items() if item.split in USED)
        for index, assignment in enumerate(used):
            for second in used[:index]:
                assert self.assignments[assignment].split is self.assignments[second].split or not alike(
                    self.looks[assignment], self.looks[second], BITS
                )


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=60, stateful_step_count=40)


@pytest.mark.parametrize("seed", range(4))
def test_shares_stay_near_the_settings_through_many_runs(seed: int) -> None:
    """Over runs that add pictures, near copies and bridges, the shares stay within three points of the settings."""
    random = Random(seed)  # noqa: S311 - no secret
    looks: dict[str, bytes] = {}
    assignments: dict[str, Assignment] = {}
    for _ in range(6):
        new = [random.randbytes(32) for _ in range(1000)]
        old = random.sample(sorted(looks.values()), min(100, len(looks)))
        new += [flipped(look, random.sample(DETAIL, 20)) for look in old]
        relatives = [flipped(look, random.sample(DETAIL, 100)) for look in old[:20]]
        new += relatives + [between(*pair) for pair in zip(old, relatives, strict=False)]
        looks |= {f"{random.getrandbits(64):016x}": look for look in new}
        assignments |= assign_splits(group_near_duplicates(looks, BITS), assignments, SHARES)
    splits = [assignment.split for assignment in assignments.values()]
    shares = {split: 100 * splits.count(split) / len(splits) for split in Split}
    assert abs(shares[Split.TEST] - SHARES.test) < 3
    assert abs(shares[Split.VALIDATION] - SHARES.validation) < 3
    assert shares[Split.HELD_OUT] < 3
