"""Pictures on their way to the devices: read, decoded and changed in threads ahead, a few batches in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.domain.images.augmentation import augmented
from tasks.domain.images.preprocessing import Limits, to_input
from tasks.modeling.backbone.backbone import Pixels
from tasks.modeling.backbone.embedding import decode, in_parallel
from tasks.modeling.fine_tuning.distribution import Devices, shares

if TYPE_CHECKING:
    from configs import schema

# Pictures (images, size, size, 3), classes (images,) and each picture's weight in the loss, for every device of ours.
Feed = Sequence[tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]]


@dataclass(frozen=True)
class Labelled:
    """Images by name, and each image's class as an index."""

    images: Sequence[str]
    truth: Sequence[int]


@dataclass(frozen=True)
class Reading:
    """How images are read from where they are stored, by name, and turned into squares of so many pixels a side."""

    stored: Callable[[Sequence[str]], Iterator[tuple[str, bytes]]]
    limits: Limits
    size: int

    def pictures(self, images: Sequence[str], change: Callable[[int, Pixels], Pixels]) -> Iterator[Pixels]:
        """Yield these images as model input, each changed by a function that is told its place in the sequence."""

        def one(placed: tuple[int, tuple[str, bytes]]) -> Pixels:
            return change(placed[0], to_input(decode(*placed[1], self.limits), self.size))

        yield from in_parallel(one, enumerate(self.stored(images)))


@dataclass(frozen=True)
class Pass:
    """One pass over images: their order as indices, each image's weight in the loss, and how it is changed."""

    images: Labelled
    order: Sequence[int]
    weights: NDArray[np.float64]
    change: Callable[[int, Pixels], Pixels]


def training_pass(train: Labelled, settings: "schema.Settings", epoch: int) -> Pass:
    """Shuffle and change the training images as the seed and the epoch say, whatever happened before."""
    seed, balance = settings.training.seed, settings.training.balance
    kind, count = settings.fine_tuning.augmentation, len(train.truth)
    fair, chance = _fair(train.truth), np.random.default_rng([seed, epoch])
    drawn = chance.choice(count, count, p=fair / fair.sum()) if balance == "sampling" else chance.permutation(count)

    def change(place: int, pixels: Pixels) -> Pixels:
        return augmented(pixels, kind, np.random.default_rng([seed, epoch, place]))

    return Pass(train, drawn.tolist(), fair if balance == "weights" else np.ones(count), change)


def plain_pass(images: Labelled) -> Pass:
    """Take images as they are, in their order, each as important as the others."""
    count = len(images.truth)
    return Pass(images, range(count), np.ones(count), lambda _place, pixels: pixels)


def feeds(one: Pass, batch: int, reading: Reading, devices: Devices) -> Iterator[tuple[Feed, int]]:
    """Yield batch after batch, as far as it is for our devices, with the number of images that all devices share."""
    batches = [range(len(one.order))[start : start + batch] for start in range(0, len(one.order), batch)]
    ours = slice(devices.ours.start, devices.ours.stop)
    dealt = [shares(places, batch, devices.count)[ours] for places in batches]
    wanted = [place for batch in dealt for share in batch for place, _ in share]
    images = [one.images.images[one.order[place]] for place in wanted]
    pictures = reading.pictures(images, lambda number, pixels: one.change(wanted[number], pixels))
    for places, batch_shares in zip(batches, dealt, strict=True):
        yield [_fed(one, share, len(places), pictures) for share in batch_shares], len(places)


def _fed(
    one: Pass, share: Sequence[tuple[int, int]], size: int, pictures: Iterator[Pixels]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]:
    """Stack one device's share of a batch of so many images."""
    drawn = [one.order[place] for place, _ in share]
    truth = np.array([one.images.truth[index] for index in drawn])
    weights = one.weights[drawn] * [counts for _, counts in share] / size
    return np.stack(list(islice(pictures, len(share)))), truth, weights.astype(np.float32)


def _fair(truth: Sequence[int]) -> NDArray[np.float64]:
    """Weigh each image so that every class weighs the same, however many images it has."""
    counts = np.bincount(truth)
    weights: NDArray[np.float64] = len(truth) / (np.count_nonzero(counts) * counts[np.asarray(truth)])
    return weights
