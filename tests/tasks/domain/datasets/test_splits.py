"""New groups are dealt to the splits class by class: every share within one group, for life, in any order."""

from collections import Counter, defaultdict
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.datasets.splits import Assignment, Shares, Split, assign_splits
from tasks.domain.images.near_duplicates import group_near_duplicates
from tests.tasks.domain.picture_hashes import hashes, near

SHARES = Shares(test=20, validation=15)
TRAIN, TEST, VALIDATION = Split.TRAIN, Split.TEST, Split.VALIDATION
classes = st.sampled_from(["boxer", "poodle", "pug"])
arrivals = st.lists(st.lists(classes, max_size=15), max_size=5)
percents = st.tuples(st.integers(5, 40), st.integers(5, 40)).map(lambda pair: Shares(*pair))


def images_of(history: list[list[str]]) -> list[dict[str, str]]:
    """Name the images of each run, each a group of its own, with their labels."""
    return [
        {f"{Random(f'{run} {number}').getrandbits(64):016x}": label for number, label in enumerate(labels)}  # noqa: S311
        for run, labels in enumerate(history)
    ]


def dealt(run: dict[str, str], assignments: dict[str, Assignment], shares: Shares = SHARES) -> dict[str, Assignment]:
    """Give one run's images, each a group of its own, their splits."""
    return assign_splits({image: image for image in [*assignments, *run]}, assignments, shares, run)


@given(arrivals, percents)
def test_each_class_has_its_shares_within_one_group_after_any_run(history: list[list[str]], shares: Shares) -> None:
    """After any runs each split of each class holds its share of the class's groups, less than one more or fewer."""
    assignments: dict[str, Assignment] = {}
    labels: dict[str, str] = {}
    for run in images_of(history):
        labels |= run
        assignments |= assign_splits({image: image for image in labels}, assignments, shares, labels)
        counts: defaultdict[str, Counter[Split]] = defaultdict(Counter)
        for image, label in labels.items():
            counts[label][assignments[image].split] += 1
        for count in counts.values():
            for split, percent in ((TEST, shares.test), (VALIDATION, shares.validation)):
                assert abs(count[split] - count.total() * percent / 100) < 1


@given(arrivals, st.randoms(use_true_random=False))
def test_the_same_photographs_on_the_same_runs_get_the_same_splits(history: list[list[str]], random: Random) -> None:
    """In whatever order the images of a run are listed, each gets the same split."""
    assignments: dict[str, Assignment] = {}
    for run in images_of(history):
        shuffled = random.sample(sorted(run.items()), len(run))
        shuffled_assignments = random.sample(sorted(assignments.items()), len(assignments))
        fresh = dealt(run, assignments)
        assert dealt(dict(shuffled), dict(shuffled_assignments)) == fresh
        assignments |= fresh


@given(arrivals, st.lists(st.sampled_from(list(Split)), min_size=1, max_size=40))
def test_a_store_of_any_earlier_splits_keeps_them_and_comes_nearer_to_its_shares(
    history: list[list[str]], earlier: list[Split]
) -> None:
    """However unevenly earlier runs chose, nothing of theirs moves, and no new group goes to a split that has more.

    A split that holds its share of the class already, counting one group more, gets none of it while another lacks.
    """
    assignments = {f"old{number}": Assignment(f"old{number}", split) for number, split in enumerate(earlier)}
    labels = dict.fromkeys(assignments, "pug")
    before: Counter[Split] = Counter(
        assignment.split for assignment in assignments.values() if assignment.split is not Split.HELD_OUT
    )
    fresh: dict[str, Assignment] = {}
    for run in images_of(history):
        labels |= run
        fresh |= assign_splits({image: image for image in labels}, assignments | fresh, SHARES, labels)
    assert not fresh.keys() & assignments.keys()
    new: Counter[Split] = Counter(assignment.split for image, assignment in fresh.items() if labels[image] == "pug")
    total = before.total() + new.total()
    percents_of: dict[Split, int] = {TEST: 20, VALIDATION: 15}
    for split, percent in percents_of.items():
        if new[split]:
            assert before[split] + new[split] < percent * total / 100 + 1


def test_a_small_class_is_trained_on_first_then_tested_then_validated() -> None:
    """The groups of a class go to training, test, training twice, validation: five are enough for all three."""
    assignments: dict[str, Assignment] = {}
    order = []
    for number in range(10):
        images = [f"{at}" for at in range(number + 1)]
        assignments |= assign_splits(
            {image: image for image in images}, assignments, SHARES, dict.fromkeys(images, "pug")
        )
        order.append(assignments[f"{number}"].split)
    assert order[:5] == [TRAIN, TEST, TRAIN, TRAIN, VALIDATION]
    assert Counter(order) == {TRAIN: 7, TEST: 2, VALIDATION: 1}


def test_which_images_are_tested_is_not_a_matter_of_their_names_order() -> None:
    """Within a class the hashes of the groups decide who comes first, so that no order of names is favoured."""
    run = {f"{number:03}": "pug" for number in range(200)}
    splits = [assignment.split for _, assignment in sorted(dealt(run, {}).items())]
    assert Counter(splits[:100])[TEST] == pytest.approx(20, abs=9)
    assert splits[:5] != [TRAIN, TEST, TRAIN, TRAIN, VALIDATION]


def test_a_group_of_several_classes_is_dealt_once_to_the_class_of_most() -> None:
    """A group under two labels counts for the label that most of its images bear, of two such the first by name."""
    groups = {"a": "a", "b": "a", "c": "a", "d": "d"}
    expected = {"d": Assignment("d", TRAIN)}
    mixed = assign_splits(groups, expected, SHARES, {"a": "pug", "b": "pug", "c": "boxer", "d": "boxer"})
    assert {assignment.split for assignment in mixed.values()} == {TRAIN}, "the first group of the pugs"
    even = assign_splits(groups, expected, SHARES, {"a": "pug", "b": "boxer", "d": "boxer"})
    assert even["a"].split is TEST, "the second group of the boxers"


def test_a_group_counts_once_however_many_images_it_has() -> None:
    """Fifty shots of one scene are one group of their class, so the next group is dealt as the second."""
    groups = {f"{number}": "0" for number in range(50)} | {"x": "x"}
    assignments = {f"{number}": Assignment("0", TRAIN) for number in range(50)}
    assert assign_splits(groups, assignments, SHARES, dict.fromkeys(groups, "pug"))["x"].split is TEST


def test_images_that_left_the_source_do_not_count() -> None:
    """A class whose former images were all removed begins again with training."""
    assignments = {f"{number}": Assignment(f"{number}", TRAIN) for number in range(10)}
    assert dealt({"x": "pug"}, assignments)["x"].split is TRAIN


names = st.text("0123456789abcdef", min_size=4, max_size=6)


@st.composite
def runs(draw: st.DrawFn) -> list[dict[str, bytes]]:
    """Draw runs that add pictures, near copies of old ones, and pictures that lie between two old ones."""
    earlier: dict[str, bytes] = {}
    history = []
    for run in range(draw(st.integers(1, 5))):
        new = {f"{name}{run}": draw(hashes) for name in draw(st.lists(names, max_size=4, unique=True))}
        for number, old in enumerate(draw(st.lists(st.sampled_from(sorted(earlier)), max_size=3)) if earlier else []):
            new[f"{draw(names)}{run}n{number}"] = draw(near(earlier[old], 72))
        earlier |= new
        history.append(new)
    return history


@given(runs())
def test_a_split_is_for_life(history: list[dict[str, bytes]]) -> None:
    """Whatever later runs add, no image ever changes its split, and every image has one."""
    pictures: dict[str, bytes] = {}
    assignments: dict[str, Assignment] = {}
    for new in history:
        pictures |= new
        fresh = assign_splits(group_near_duplicates(pictures, 72), assignments, SHARES)
        assert not fresh.keys() & assignments.keys()
        assignments |= fresh
        assert assignments.keys() == pictures.keys()


@given(runs())
def test_no_new_image_stands_across_the_line(history: list[dict[str, bytes]]) -> None:
    """A new image is never used on one side while an image that it resembles is used on the other."""
    pictures: dict[str, bytes] = {}
    assignments: dict[str, Assignment] = {}
    for new in history:
        pictures |= new
        together = group_near_duplicates(pictures, 72)
        fresh = assign_splits(together, assignments, SHARES)
        assignments |= fresh
        for image, assigned in fresh.items():
            used = {assignments[other].split for other, group in together.items() if group == together[image]}
            assert assigned.split is Split.HELD_OUT or used <= {assigned.split, Split.HELD_OUT}
