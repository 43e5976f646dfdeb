"""Pictures on their way to the devices: the same ones in the same order, dealt out fairly."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import Limits
from tasks.modeling.fine_tuning.distribution import Devices, shard_batch
from tasks.modeling.fine_tuning.input_pipeline import (
    EpochPlan,
    LabelledImages,
    plan_training,
    plan_validation,
    read_batches,
)
from tasks.stores.store import Store
from tests.images import validate_image
from tests.tasks.modeling.processes import run_alone
from tests.tasks.modeling.small_fine_tuning import small_fine_tuning, small_settings

_UNEVEN = LabelledImages([f"image {n}" for n in range(40)], [0] * 36 + [1] * 4)


def _plan(epoch: int, **training: Any) -> EpochPlan:  # noqa: ANN401 - settings of every type
    settings = small_settings()
    return plan_training(_UNEVEN, settings.training.model_copy(update=training), settings.fine_tuning, epoch)


def test_every_place_is_dealt_out_once() -> None:
    """Two devices together get each image of a batch once, in shares of one length; what fills up does not count."""
    for places in (range(8), range(8, 13), range(5, 6)):
        dealt = shard_batch(places, 7, 2)
        assert [len(share) for share in dealt] == [4, 4]
        assert sorted(index for share in dealt for index, counts in share if counts) == list(places)
        assert {index for share in dealt for index, _ in share} == set(places)


def test_an_epoch_is_the_same_whatever_came_before() -> None:
    """Order and changes of an epoch depend on the seed and its number alone, and differ from those of another."""
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    first, repeated, later, other = (_plan(epoch, seed=seed) for seed, epoch in ((0, 1), (0, 1), (0, 2), (1, 1)))
    assert first.order == repeated.order
    assert sorted(first.order) == list(range(40))
    assert np.array_equal(first.change(3, picture), repeated.change(3, picture))
    assert not np.array_equal(first.change(3, picture), first.change(4, picture))
    for plan in (later, other):
        assert plan.order != first.order
        assert not np.array_equal(first.change(3, picture), plan.change(3, picture))


def test_a_rare_class_gets_its_say() -> None:
    """By weights both classes weigh the same, by sampling both are drawn about as often, and without both neither."""
    weighed, drawn, plain = (_plan(1, balance=way) for way in ("weights", "sampling", "none"))
    assert [weighed.weights[:36].sum(), weighed.weights[36:].sum()] == pytest.approx([20, 20])
    assert 12 <= Counter(_UNEVEN.truth[index] for index in drawn.order)[1] <= 28
    assert set(drawn.weights) == set(plain.weights) == {1.0}
    assert Counter(_UNEVEN.truth[index] for index in plain.order)[1] == 4


def test_a_worker_reads_its_own_share_only() -> None:
    """Of three devices, the pictures of the second are fed alone, and all weights of all devices add up to one."""
    data = small_fine_tuning(small_settings()).data
    plan, total = plan_validation(data.train), 0.0
    for number in range(3):
        devices = Devices(SimpleNamespace(num_replicas_in_sync=3), range(number, number + 1))
        fed = list(read_batches(plan, 8, data.reader, devices))
        assert [(len(feed), size) for feed, size in fed] == [(1, 8), (1, 8), (1, 5)]
        assert {feed[0][0].shape for feed, _ in fed} == {(3, 75, 75, 3)}
        total += sum(float(feed[0][2].sum()) for feed, _ in fed)
    # Three batches, the weights of each adding up to one.
    assert abs(total - 3) < 1e-5


# What one of two workers reads of a store in an epoch: the names, and how many of them were asked for at once.
WORKER = """
import json
from types import SimpleNamespace
from configs.schema import FineTuning, Training
from tasks.domain.images.preprocessing import Limits
from tasks.modeling.fine_tuning import input_pipeline
from tasks.modeling.fine_tuning.distribution import Devices
from tasks.modeling.fine_tuning.input_pipeline import ImageReader, LabelledImages, plan_training, read_batches
from tasks.stores.store import Store

store, names, asked = Store({url!r}), {names!r}, []
input_pipeline._READ_TOGETHER = 5

def read(part):
    asked.append(list(part))
    return store.images.read(part)

plan = plan_training(LabelledImages(names, [0] * len(names)), Training(), FineTuning(), 1)
devices = Devices(SimpleNamespace(num_replicas_in_sync=2), range({number}, {number} + 1))
batches = read_batches(plan, 4, ImageReader(read, Limits(10**6, 10**6, 32), 75), devices)
print(json.dumps([asked, sum(len(feed[0][0]) for feed, _ in batches)]))
"""


def test_two_processes_read_a_half_each(tmp_path: Path, images: list[tuple[str, bytes]]) -> None:
    """Each worker asks the store for its own half of an epoch, a few at a time; together they read every image once."""
    store = Store(str(tmp_path))
    files = [(validate_image(data, Limits(10**6, 10**6, 32)), data) for _, data in images]
    store.images.add([(info, data) for info, data in files if isinstance(info, ImageInfo)])
    names = sorted(store.images.stored())
    shares = []
    for number in range(2):
        (asked, pictures), _ = run_alone(WORKER.format(url=store.url, names=names, number=number))
        assert max(map(len, asked)) == 5
        assert pictures == sum(map(len, asked)) == len(names) / 2
        shares.append({name for part in asked for name in part})
    assert len(names) == 12
    assert shares[0] | shares[1] == set(names)
    assert not shares[0] & shares[1]
