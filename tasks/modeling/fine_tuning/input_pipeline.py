"""Input pipeline of fine-tuning: images read, decoded and augmented in threads ahead, a few batches in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.domain.images.augmentation import augment
from tasks.domain.images.preprocessing import Limits, to_input
from tasks.modeling.backbone.backbone import Pixels
from tasks.modeling.backbone.embedding import decode_image
from tasks.modeling.determinism import map_in_parallel
from tasks.modeling.fine_tuning.distribution import Devices, shard_batch

if TYPE_CHECKING:
    from configs import schema

# Images whose rows are looked up in the store together.
_READ_TOGETHER = 4096

#: For each device of this process: pictures (n_images, size, size, 3), the index of each picture's class (n_images,),
#: and its weight in the loss (n_images,).
Batch = Sequence[tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]]


@dataclass(frozen=True)
class LabelledImages:
    """The names of images, and the index of each image's class."""

    images: Sequence[str]
    truth: Sequence[int]


@dataclass(frozen=True)
class ImageReader:
    """Reads images as model input.

    Attributes:
        read_stored: Yields the name and the bytes of images by their names, in order.
        limits: Which image files are accepted.
        size: The side of the model input in pixels.
    """

    read_stored: Callable[[Sequence[str]], Iterator[tuple[str, bytes]]]
    limits: Limits
    size: int

    def load_pictures(
        self, parts: Iterable[Sequence[tuple[int, str]]], change: Callable[[int, Pixels], Pixels]
    ) -> Iterator[Pixels]:
        """Read images as model input, of which no more than a part is asked for at once.

        Args:
            parts: The position and the name of each image, some of them at a time.
            change: Changes each picture, given its position.

        Yields:
            The changed pictures, in order.
        """

        def load_picture(placed: tuple[int, tuple[str, bytes]]) -> Pixels:
            return change(placed[0], to_input(decode_image(*placed[1], self.limits), self.size))

        def read_parts() -> Iterator[tuple[int, tuple[str, bytes]]]:
            for part in parts:
                positions, names = zip(*part, strict=True)
                yield from zip(positions, self.read_stored(names), strict=True)

        yield from map_in_parallel(load_picture, read_parts())


@dataclass(frozen=True)
class EpochPlan:
    """One pass over images.

    Attributes:
        images: The images.
        order: The indices of the images, in the order of the pass.
        weights: The weight of each image in the loss, by index.
        change: Changes each picture, given its position in the pass.
    """

    images: LabelledImages
    order: Sequence[int]
    weights: NDArray[np.float64]
    change: Callable[[int, Pixels], Pixels]


def plan_training(
    train: LabelledImages, training: "schema.Training", fine_tuning: "schema.FineTuning", epoch: int
) -> EpochPlan:
    """Plan an epoch of training; the seed and the epoch alone decide the order and the augmentation.

    Args:
        train: The images to learn from.
        training: The seed, and how classes are balanced.
        fine_tuning: How pictures are augmented.
        epoch: The number of the epoch.

    Returns:
        The plan.
    """
    seed, balance, count = training.seed, training.balance, len(train.truth)
    balanced, chance = _compute_balanced_weights(train.truth), np.random.default_rng([seed, epoch])
    drawn = (
        chance.choice(count, count, p=balanced / balanced.sum()) if balance == "sampling" else chance.permutation(count)
    )

    def change(position: int, pixels: Pixels) -> Pixels:
        return augment(pixels, fine_tuning.augmentation, np.random.default_rng([seed, epoch, position]))

    return EpochPlan(train, drawn.tolist(), balanced if balance == "weights" else np.ones(count), change)


def plan_validation(images: LabelledImages) -> EpochPlan:
    """Plan a pass over images as they are, in their order and with equal weights."""
    count = len(images.truth)
    return EpochPlan(images, range(count), np.ones(count), lambda _position, pixels: pixels)


def read_batches(plan: EpochPlan, batch: int, reader: ImageReader, devices: Devices) -> Iterator[tuple[Batch, int]]:
    """Read the batches of a pass, as far as they are for this process's devices.

    Args:
        plan: The pass.
        batch: The number of images that all devices share.
        reader: Reads the images.
        devices: The devices.

    Yields:
        The batch of this process's devices, and the number of images that all devices share.
    """
    pictures = reader.load_pictures(_name_share(plan, batch, devices), plan.change)
    for positions, batch_shares in _deal(plan, batch, devices):
        yield [_stack_share(plan, share, len(positions), pictures) for share in batch_shares], len(positions)


def _deal(plan: EpochPlan, batch: int, devices: Devices) -> Iterator[tuple[range, list[list[tuple[int, int]]]]]:
    """Yield the positions of each batch, and those among them that are for this process's devices."""
    local_devices = slice(devices.local_devices.start, devices.local_devices.stop)
    for start in range(0, len(plan.order), batch):
        positions = range(len(plan.order))[start : start + batch]
        yield positions, shard_batch(positions, batch, devices.count)[local_devices]


def _name_share(plan: EpochPlan, batch: int, devices: Devices) -> Iterator[list[tuple[int, str]]]:
    """Yield position and name of the images for this process's devices, so many that reading them together pays."""
    dealt = ((position for share in shares for position, _ in share) for _, shares in _deal(plan, batch, devices))
    placed = ((position, plan.images.images[plan.order[position]]) for part in dealt for position in part)
    while part := list(islice(placed, _READ_TOGETHER)):
        yield part


def _stack_share(
    plan: EpochPlan, share: Sequence[tuple[int, int]], size: int, pictures: Iterator[Pixels]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]:
    """Stack one device's share of a batch.

    Returns:
        Its pictures, classes and weights.
    """
    drawn = [plan.order[position] for position, _ in share]
    truth = np.array([plan.images.truth[index] for index in drawn])
    weights = plan.weights[drawn] * [counts for _, counts in share] / size
    return np.stack(list(islice(pictures, len(share)))), truth, weights.astype(np.float32)


def _compute_balanced_weights(truth: Sequence[int]) -> NDArray[np.float64]:
    """Compute a weight for each image, such that all classes weigh the same together; the mean is 1."""
    counts = np.bincount(truth)
    weights: NDArray[np.float64] = len(truth) / (np.count_nonzero(counts) * counts[np.asarray(truth)])
    return weights
