"""Near-duplicate groups of a store: they are those of grouping all images at once, whatever former runs kept."""

from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from tasks.domain.hashing import sha256_of
from tasks.domain.images.crops import PARTS, middle_hash
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.domain.images.near_duplicates import group_near_duplicates
from tasks.features import grouping
from tasks.features.grouping import group_images, group_with_new_crops, look_up_groups
from tasks.stores.files import parquet_tables
from tasks.stores.store import Store
from tests.tasks.domain.picture_hashes import DETAIL, flipped, group_with_crops

_MEASURES = ImageProperties(brightness=0.5, contrast=0.5, sharpness=1.0, tone=0.5)
BITS = 72


def info(number: int, phash: bytes, parts: bytes = b"") -> ImageInfo:
    """Make what was measured of an image."""
    return ImageInfo(sha256_of(number), 10, 20, "JPEG", phash, _MEASURES, parts)


def chain(first: int, last: int) -> list[ImageInfo]:
    """Make images of which each looks like the next one, in chains of five that share nothing."""
    random = Random(3)  # noqa: S311 - no secret
    infos = []
    for scene in range(40):
        phash = random.randbytes(32)
        for link in range(5):
            infos.append(info(5 * scene + link, phash))
            phash = flipped(phash, random.sample(DETAIL, 50))
    return infos[first:last]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Make an empty store that keeps groups also of few images."""
    monkeypatch.setattr(grouping, "_FEWEST_KEPT", 1)
    monkeypatch.setattr(parquet_tables, "_SMALLEST_BASE", 20)
    return Store(str(tmp_path))


def groups(store: Store, bits: int = BITS) -> dict[str, str]:
    """Group all images of a store, and compare with grouping them at once."""
    images = sorted(store.images.stored())
    group_names = group_images(store, pa.array(images, pa.string()), bits).to_dict()
    assert group_names == group_near_duplicates(store.images.hashes(images), bits)
    return group_names


def kept_files(store: Store) -> list[str]:
    """List the files that hold groups, without their folder."""
    return [entry.key.rpartition("/")[2] for entry in store.objects.entries("near-duplicates/")]


def test_what_comes_and_goes_is_grouped_as_if_all_were_new(store: Store) -> None:
    """Images that come in parts, a forgotten one that held others together, other bits: the groups are the same."""
    for first, last in ((0, 101), (101, 104), (104, 150), (150, 200)):
        store.images.add([(entry, b"") for entry in chain(first, last)])
        assert len(set(groups(store).values())) == -(-last // 5)
    forgotten = [sha256_of(5 * scene + 2) for scene in range(3)]
    for image in forgotten:
        store.images.remove(image)
        groups(store)
    assert len(set(groups(store).values())) == 40 + 3
    assert len(set(groups(store, 8).values())) == 200 - 3
    groups(store)


def test_groups_are_kept_as_changes_and_old_ones_are_removed(store: Store) -> None:
    """A few new images are written as changes, nothing new writes nothing, and only what is needed stays."""
    store.images.add([(entry, b"") for entry in chain(0, 190)])
    groups(store)
    assert kept_files(store) == ["000000001.parquet"]
    groups(store)
    assert kept_files(store) == ["000000001.parquet"]
    for number in range(190, 193):
        store.images.add([(entry, b"") for entry in chain(number, number + 1)])
        groups(store)
    assert kept_files(store) == ["000000001.parquet", "000000004.changes.parquet"]
    store.images.add([(entry, b"") for entry in [info(1000 + n, Random(n).randbytes(32)) for n in range(60)]])  # noqa: S311
    groups(store)
    assert kept_files(store) == ["000000005.parquet"]
    assert list(store.checksums.altered_files()) == []


@pytest.mark.parametrize("left_out", [[], [7], [1, 2, 3], list(range(0, 150, 7))])
def test_some_images_are_looked_up_and_nothing_is_kept_of_them(store: Store, left_out: list[int]) -> None:
    """Groups of a part of the images, with new ones, are those of comparing all of the part, and what is kept stays."""
    store.images.add([(entry, b"") for entry in chain(0, 150)])
    groups(store)
    store.images.add([(entry, b"") for entry in chain(150, 157)])
    before = kept_files(store)
    part = sorted(store.images.stored() - {sha256_of(number) for number in left_out})
    looked_up = look_up_groups(store, pa.array(part), BITS)
    assert looked_up.to_dict() == group_near_duplicates(store.images.hashes(part), BITS)
    assert kept_files(store) == before


@pytest.mark.parametrize("damage", ["the changes", "the base", "all"])
def test_damaged_groups_are_found_again(store: Store, damage: str) -> None:
    """Groups that cannot be read, or whose hashes are of other pictures, are not trusted."""
    store.images.add([(entry, b"") for entry in chain(0, 150)])
    groups(store)
    store.images.add([(entry, b"") for entry in chain(150, 152)])
    groups(store)
    folder = next(Path(store.url).glob("near-duplicates/*"))
    for file in sorted(folder.iterdir()):
        if damage == "all" or file.name.endswith(".changes.parquet") == (damage == "the changes"):
            file.write_bytes(file.read_bytes()[:-9])
    groups(store)
    assert groups(store)


def test_groups_of_exchanged_pictures_are_not_trusted(store: Store, tmp_path: Path) -> None:
    """Groups that were kept of other hashes under the same names count for nothing."""
    other = Store(str(tmp_path / "other"))
    other.images.add([(info(number, bytes([number % 3]) * 32), b"") for number in range(100)])
    assert len(set(groups(other).values())) == 1
    store.images.add([(entry, b"") for entry in chain(0, 100)])
    (tmp_path / "other/near-duplicates").rename(tmp_path / "near-duplicates")
    assert len(set(groups(store).values())) == 20


def test_new_crops_join_their_originals(store: Store) -> None:
    """A part that looks like another image, or like its middle, joins the two groups, as when all are compared."""
    random = Random(5)  # noqa: S311 - no secret
    rows = [(random.randbytes(32), bytearray(random.randbytes(32 * PARTS))) for _ in range(60)]
    for number in range(6):
        other = rows[30 + number]
        rows[number][1][96:128] = other[0] if number % 2 else middle_hash(bytes(other[1]))
    infos = [info(number, phash, b"" if number == 40 else bytes(parts)) for number, (phash, parts) in enumerate(rows)]
    store.images.add([(entry, b"") for entry in infos])
    images, new = sorted(store.images.stored()), sorted(entry.image for entry in infos[:10])
    grouped = group_with_new_crops(store, group_images(store, pa.array(images), BITS), new, BITS).to_dict()
    middles = {entry.image: middle_hash(entry.parts) for entry in infos if entry.parts}
    parts = [(entry.image, entry.parts) for entry in infos[:10]]
    assert grouped == group_with_crops({entry.image: entry.phash for entry in infos}, middles, [parts], BITS)
    assert len(set(grouped.values())) == 54


def test_a_few_images_are_grouped_at_once(tmp_path: Path) -> None:
    """A small store keeps no groups, and no image at all makes none."""
    store = Store(str(tmp_path))
    assert groups(store) == {}
    store.images.add([(entry, b"") for entry in chain(0, 20)])
    assert len(set(groups(store).values())) == 4
    assert kept_files(store) == []
    assert np.array_equal(group_images(store, pa.array(["f" * 64]), BITS).groups, [])
