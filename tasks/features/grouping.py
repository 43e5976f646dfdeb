"""Near-duplicate groups of a store's images: what was grouped before is not compared again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.domain.datasets.image_issues import NearDuplicates
from tasks.domain.images.crops import CropIndex, Hashes, Numbers, join_crops, to_rows
from tasks.domain.images.group_extension import UNGROUPED, extend_groups, keep_groups
from tasks.domain.images.near_duplicates import HASH_BYTES
from tasks.stores.files.near_duplicate_groups import GROUPED
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.stores.tables.images import ImageStore

# So many images are grouped at once in no time, and what a former run found is not kept.
_FEWEST_KEPT = 10_000


@dataclass(frozen=True, eq=False)
class ImageGroups:
    """Images with their near-duplicate groups, in columns.

    Attributes:
        images: The images, sorted by name.
        hashes: Their perceptual hashes, of shape (n_images, 32).
        groups: The index of the first image of each image's group, of shape (n_images,).
    """

    images: pa.Array
    hashes: Hashes
    groups: Numbers

    def __len__(self) -> int:
        """Count the images."""
        return len(self.groups)

    def to_dict(self) -> dict[str, str]:
        """Return the group of each image, which is named by its first image."""
        return dict(zip(self.images.to_pylist(), self.names(np.arange(len(self))), strict=True))

    def find(self, images: pa.Array) -> NDArray[np.int64]:
        """Return where images stand among those that are grouped.

        Args:
            images: The names of images.

        Returns:
            The index of each, of shape (n,); -1 for an image that is not grouped.
        """
        return np.asarray(pc.fill_null(pc.index_in(images, self.images), -1).to_numpy(zero_copy_only=False), np.int64)

    def members_of(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which images share a group with one of some.

        Args:
            places: The indices of these images.

        Returns:
            A mask of shape (n_images,).
        """
        touched = np.zeros(len(self), np.bool_)
        touched[self.groups[places]] = True
        return touched[self.groups]

    def names(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> list[str]:
        """Return the names of some images' groups.

        Args:
            rows: Indices of images, or a mask of shape (n_images,).

        Returns:
            The name of the group of each, which is that of its first image.
        """
        names: list[str] = self.images.take(pa.array(self.groups[rows])).to_pylist()
        return names


def look_up_groups(store: Store, wanted: pa.Array, bits: int) -> ImageGroups:
    """Group images by their perceptual hashes; of groups that former runs found, only new images are compared.

    Args:
        store: Holds the hashes, and the groups that former runs found.
        wanted: The images; those that the store does not hold are left out.
        bits: How many of the 256 bits of two hashes may differ.

    Returns:
        The groups, exactly as if all images were compared with each other.
    """
    return _look_up(store, wanted, bits)[0]


def group_images(store: Store, wanted: pa.Array, bits: int) -> ImageGroups:
    """Group all images by their perceptual hashes, and keep what was found for later runs.

    Args:
        store: Holds the hashes, and the groups that former runs found; gets those that are found now.
        wanted: The images; those that the store does not hold are left out.
        bits: How many of the 256 bits of two hashes may differ.

    Returns:
        The groups, exactly as if all images were compared with each other.
    """
    groups, is_new = _look_up(store, wanted, bits)
    if is_new and len(groups) >= _FEWEST_KEPT:
        store.near_duplicate_groups.write(bits, _kept(groups))
    return groups


def _look_up(store: Store, wanted: pa.Array, bits: int) -> tuple[ImageGroups, bool]:
    """Group images, and say whether the groups are others than those that are kept."""
    stored = store.images.perceptual_hashes(wanted)
    images, hashes = stored["image"], fixed_rows(stored["hash"])
    former = store.near_duplicate_groups.read(bits) if len(images) >= _FEWEST_KEPT else None
    known = np.full(len(images), UNGROUPED) if former is None else _carry_over(former, images, hashes)
    groups = ImageGroups(images, hashes, extend_groups(hashes, known, bits))
    return groups, former is None or former.num_rows != len(images) or bool((known == UNGROUPED).any())


def group_with_new_crops(store: Store, groups: ImageGroups, new: Sequence[str], bits: int) -> ImageGroups:
    """Merge the groups of new images with those of the images that they are crops of, and of their own crops.

    Args:
        store: Holds the hashes of the images' parts.
        groups: All images with their groups.
        new: The new ones among them.
        bits: How many of the 256 bits of two hashes may differ.

    Returns:
        The merged groups.
    """
    middles = store.images.middle_hashes(groups.images)
    owners = np.flatnonzero(np.asarray(pc.is_valid(middles)))
    pictures = np.concatenate([groups.hashes, fixed_rows(middles.drop_null())])
    index = CropIndex(pictures, np.concatenate([np.arange(len(groups)), owners]), bits)
    batches = _parts(store.images, groups, new)
    return ImageGroups(groups.images, groups.hashes, join_crops(groups.groups, index, batches))


def mix_groups(
    groups: ImageGroups, images: pa.Array, codes: NDArray[np.integer], marks: Sequence[str], bits: int
) -> tuple[NearDuplicates, dict[str, str]]:
    """Return what ``find_contradictions`` asks for of those images alone whose groups have several marks.

    Args:
        groups: The near-duplicate groups.
        images: The images that may have a mark, texts.
        codes: The number of each image's mark, of shape (n_images,); -1 for one without.
        marks: The marks, by number.
        bits: How many of the 256 bits of two hashes may differ.

    Returns:
        Their near-duplicate groups, and the mark of each of them.
    """
    places = groups.find(images)
    rows = np.flatnonzero((places >= 0) & (codes >= 0))
    numbers, marked = groups.groups[places[rows]], codes[rows]
    # One mark of each group: where any other one differs from it, the group has several.
    some_mark = np.zeros(len(groups), marked.dtype)
    some_mark[numbers] = marked
    is_mixed = np.zeros(len(groups), np.bool_)
    is_mixed[numbers[marked != some_mark[numbers]]] = True
    rows = rows[is_mixed[numbers]]
    names = images.take(pa.array(rows)).to_pylist()
    hashes = dict(zip(names, map(bytes, groups.hashes[places[rows]]), strict=True))
    near = NearDuplicates(hashes, dict(zip(names, groups.names(places[rows]), strict=True)), bits)
    return near, {name: marks[code] for name, code in zip(names, codes[rows].tolist(), strict=True)}


def fixed_rows(column: pa.Array) -> Hashes:
    """Return a column of hashes as an array.

    Args:
        column: Hashes of 32 bytes, none of them null.

    Returns:
        The hashes, of shape (n, 32).
    """
    data = np.frombuffer(column.buffers()[1], np.uint8) if len(column) else np.zeros(0, np.uint8)
    return data.reshape(-1, HASH_BYTES)[column.offset : column.offset + len(column)]


def _parts(images: "ImageStore", groups: ImageGroups, new: Sequence[str]) -> Iterator[tuple[Numbers, Hashes]]:
    numbers = dict(zip(new, groups.find(pa.array(new, pa.string())).tolist(), strict=True))
    for batch in images.parts(new):
        hashed = [(numbers[image], parts) for image, parts in batch if parts]
        yield np.array([number for number, _ in hashed], np.intp), to_rows(parts for _, parts in hashed)


def _carry_over(former: pa.Table, images: pa.Array, hashes: Hashes) -> Numbers:
    """Return the groups that are known of images, as ``extend_groups`` takes them."""
    names = former["image"].combine_chunks()
    firsts = pc.index_in(former["group"].combine_chunks(), names).fill_null(-1).to_numpy()
    groups = np.where(firsts < 0, np.arange(len(names)), firsts)
    positions = pc.index_in(names, images).fill_null(-1).to_numpy().astype(np.intp)
    same = _digest(hashes)[positions] == former["hash"].to_numpy() if len(images) else np.zeros(len(names), bool)
    return keep_groups(groups, np.where(same, positions, -1), len(images))


def _kept(groups: ImageGroups) -> pa.Table:
    alone = np.bincount(groups.groups, minlength=len(groups))[groups.groups] == 1
    names = groups.images.take(pa.array(groups.groups, mask=alone))
    return pa.table([groups.images, pa.array(_digest(groups.hashes)), names], schema=GROUPED)


def _digest(hashes: Hashes) -> NDArray[np.uint64]:
    """Return 64 bits of each hash, by which an exchanged one is told."""
    words = hashes.view(np.uint64) * np.array([1, 3, 5, 7], np.uint64)
    return np.asarray(np.bitwise_xor.reduce(words ^ words >> np.uint64(29), axis=1))
