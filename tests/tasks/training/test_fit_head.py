"""A head that learns from blocks is named in its record, and comes out the same in any store."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from configs import schema
from configs.schema import Settings
from configs.sections import Scale, Source
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.registry.model_record import hash_settings, training_settings
from tasks.domain.training.results import FeatureSet
from tasks.modeling.head import block_training
from tasks.stores.store import Store
from tasks.training.fit_head import fit, sample_rows
from tests.servers import PrefectServer

FEATURES = FeatureSet("net", 16)
SPLITS = (Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST)
ROWS = [Row(f"{number:064x}", ("corgi", "pug")[number % 3 % 2], SPLITS[number % 5], (), "") for number in range(300)]
TINY = Scale(in_memory=1e-6)


@pytest.fixture(autouse=True)
def _prefect(prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show progress somewhere, and take few steps: how good a head becomes is tested elsewhere."""
    assert prefect_server.api_url
    monkeypatch.setattr(block_training, "_LEAST_STEPS", 12)
    monkeypatch.setattr(block_training, "BLOCK", 64)


def _store(folder: Path, rows: Sequence[Row]) -> Store:
    """Fill a store with features of images, in the order of the rows."""
    store = Store(str(folder))
    for view in ("identity", "mirror"):
        for start in range(0, len(rows), 70):
            part = rows[start : start + 70]
            vectors = [np.random.default_rng([int(row.image, 16), view == "mirror"]).normal(size=16) for row in part]
            store.features("net", 16).add(
                [row.image for row in part], np.array(vectors, np.float32), [view] * len(part)
            )
    return store


def _settings(folder: Path, scale: Scale, most: int = 0) -> Settings:
    training = schema.Training(views="mirror", most=most)
    return Settings(source=Source(url="photos"), store=schema.Store(url=str(folder)), training=training, scale=scale)


def test_a_store_in_another_order_gives_the_same_head(tmp_path: Path) -> None:
    """Beyond scale.in_memory the head is another one than below, and the same one in whatever order features came."""
    order = np.random.default_rng(2).permutation(len(ROWS))
    stores = _store(tmp_path / "a", ROWS), _store(tmp_path / "b", [ROWS[index] for index in order])
    settings = _settings(tmp_path, TINY)
    once, again = (fit(ROWS, FEATURES, settings, store, {}) for store in stores)
    assert once == again
    assert len(once.epochs) == 6
    below = fit(ROWS, FEATURES, _settings(tmp_path, Scale()), stores[0], {})
    assert below.head != once.head
    assert below == fit(ROWS, FEATURES, _settings(tmp_path, Scale(in_memory=1)), stores[1], {})


def test_what_is_held_in_memory_is_part_of_the_recipe(tmp_path: Path) -> None:
    """A record names another limit than the usual one, and those from before there was one are as they were."""
    usual, tiny = _settings(tmp_path, Scale()), _settings(tmp_path, TINY)
    assert "scale" not in training_settings(usual)
    assert "most" not in training_settings(usual)["training"]
    assert training_settings(tiny)["scale"] == {"in_memory": TINY.in_memory}
    assert hash_settings(tiny) != hash_settings(usual) == hash_settings(_settings(tmp_path, Scale(unlike="separate")))
    assert training_settings(_settings(tmp_path, Scale(), most=5))["training"]["most"] == 5


def test_a_sample_is_always_the_same_images() -> None:
    """About so many, each class by its size, in their order; with other images around, most of them are the same."""
    sampled = sample_rows(ROWS, 60)
    assert [row for row in ROWS if row in sampled] == sampled
    assert len(sampled) == 60
    assert len(sample_rows(ROWS[:-50], 60)) == 60
    assert sample_rows(ROWS, 0) is sample_rows(ROWS, 300) is ROWS
