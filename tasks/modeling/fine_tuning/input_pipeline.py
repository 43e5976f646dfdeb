"""Pictures on their way to the devices: read, decoded and changed in threads ahead, a few batches in memory."""

from collections.abc import Callable, Iterator, Sequence
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

# Pictures (images, size, size, 3), classes (images,) and each picture's weight in the loss, for every device of ours.
Batch = Sequence[tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]]


@dataclass(frozen=True)
class LabelledImages:
    """Images by name, and each image's class as an index."""

    images: Sequence[str]
    truth: Sequence[int]


@dataclass(frozen=True)
class ImageReader:
    """How images are read from where they are stored, by name, and turned into squares of so many pixels a side."""

    read_stored: Callable[[Sequence[str]], Iterator[tuple[str, bytes]]]
    limits: Limits
    size: int

    def load_pictures(self, images: Sequence[str], change: Callable[[int, Pixels], Pixels]) -> Iterator[Pixels]:
        """Yield these images as model input, each changed by a function that is told its place in the sequence."""

        def load_picture(placed: tuple[int, tuple[str, bytes]]) -> Pixels:
            return change(placed[0], to_input(decode_image(*placed[1], self.limits), self.size))

        yield from map_in_parallel(load_picture, enumerate(self.read_stored(images)))


@dataclass(frozen=True)
class EpochPlan:
    """One pass over images: their order as indices, each image's weight in the loss, and how it is changed."""

    images: LabelledImages
    order: Sequence[int]
    weights: NDArray[np.float64]
    change: Callable[[int, Pixels], Pixels]


def plan_training(train: LabelledImages, settings: "schema.Settings", epoch: int) -> EpochPlan:
    """Shuffle and change the training images as the seed and the epoch say, whatever happened before."""
    seed, balance = settings.training.seed, settings.training.balance
    kind, count = settings.fine_tuning.augmentation, len(train.truth)
    fair, chance = _fair_weights(train.truth), np.random.default_rng([seed, epoch])
    drawn = chance.choice(count, count, p=fair / fair.sum()) if balance == "sampling" else chance.permutation(count)

    def change(position: int, pixels: Pixels) -> Pixels:
        return augment(pixels, kind, np.random.default_rng([seed, epoch, position]))

    return EpochPlan(train, drawn.tolist(), fair if balance == "weights" else np.ones(count), change)


def plan_validation(images: LabelledImages) -> EpochPlan:
    """Take images as they are, in their order, each as important as the others."""
    count = len(images.truth)
    return EpochPlan(images, range(count), np.ones(count), lambda _position, pixels: pixels)


def read_batches(plan: EpochPlan, batch: int, reader: ImageReader, devices: Devices) -> Iterator[tuple[Batch, int]]:
    """Yield batch after batch, as far as it is for our devices, with the number of images that all devices share."""
    batches = [range(len(plan.order))[start : start + batch] for start in range(0, len(plan.order), batch)]
    local_devices = slice(devices.local_devices.start, devices.local_devices.stop)
    dealt = [shard_batch(positions, batch, devices.count)[local_devices] for positions in batches]
    local_positions = [position for batch in dealt for share in batch for position, _ in share]
    images = [plan.images.images[plan.order[position]] for position in local_positions]
    pictures = reader.load_pictures(images, lambda number, pixels: plan.change(local_positions[number], pixels))
    for positions, batch_shares in zip(batches, dealt, strict=True):
        yield [_stack_share(plan, share, len(positions), pictures) for share in batch_shares], len(positions)


def _stack_share(
    plan: EpochPlan, share: Sequence[tuple[int, int]], size: int, pictures: Iterator[Pixels]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]:
    """Stack one device's share of a batch of so many images."""
    drawn = [plan.order[position] for position, _ in share]
    truth = np.array([plan.images.truth[index] for index in drawn])
    weights = plan.weights[drawn] * [counts for _, counts in share] / size
    return np.stack(list(islice(pictures, len(share)))), truth, weights.astype(np.float32)


def _fair_weights(truth: Sequence[int]) -> NDArray[np.float64]:
    """Weigh each image so that every class weighs the same, however many images it has."""
    counts = np.bincount(truth)
    weights: NDArray[np.float64] = len(truth) / (np.count_nonzero(counts) * counts[np.asarray(truth)])
    return weights
