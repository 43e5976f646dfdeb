"""Which classes are learned and which wait."""

from tasks.domain.datasets.manifest import Row, Waiting, select_classes
from tasks.domain.datasets.splits import Split


def rows(label: str, *splits: Split) -> list[Row]:
    """Make one image of a class for each split."""
    return [Row(f"{label}{number}", label, split, (), "") for number, split in enumerate(splits)]


def test_a_small_class_waits() -> None:
    """A class with fewer images than the minimum waits, and held-out images do not count."""
    few = rows("pug", Split.TRAIN, Split.TEST, Split.HELD_OUT)
    many = rows("boxer", Split.TRAIN, Split.TEST, Split.VALIDATION)
    found = select_classes([*few, *many], 3)
    assert {row.label for row in found.rows} == {"boxer"}
    assert found.waiting == (Waiting("pug", 2, "2 of 3 images, lacks 1"),)


def test_a_class_without_training_images_waits() -> None:
    """A class that has nothing to be trained on waits, however many images it has."""
    found = select_classes(rows("pug", *[Split.TEST] * 5), 3)
    assert found.rows == ()
    assert [one.label for one in found.waiting] == ["pug"]
