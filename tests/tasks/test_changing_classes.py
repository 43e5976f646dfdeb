"""Nights between which classes appear, vanish or get another name: trained and evaluated by the real steps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from prefect import flow

from configs.schema import Settings
from tasks.domain.canonical import sha256_of
from tasks.domain.decisions import Decision
from tasks.domain.manifest import Row
from tasks.domain.night import Dataset, Embedded, Evaluation, FeatureSet, Trained
from tasks.domain.splits import Split
from tasks.evaluate import evaluate
from tasks.stores.datasets import write_manifest
from tasks.stores.features import FeatureStore
from tasks.stores.ledger import Ledger
from tasks.stores.weights import read_head
from tasks.train import train
from tests.servers import PrefectServer

MADE = FeatureSet(fingerprint="f" * 64, width=16)
SPLITS = [Split.TRAIN] * 14 + [Split.VALIDATION] * 4 + [Split.TEST] * 4
KINDS = ("alsatian", "boxer", "pug", "vizsla")
Night = Callable[..., tuple[Trained, Evaluation]]


def rows_of(labels: dict[str, str]) -> list[Row]:
    """Give the images of each kind of dog the label that it has tonight."""
    return [
        Row(sha256_of([kind, number]), label, split, (), f"{label}/{number}.jpg")
        for kind, label in labels.items()
        for number, split in enumerate(SPLITS)
    ]


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    """Make a small store and a database of its own, and say where they are."""
    chance = np.random.default_rng(0)
    store = str(tmp_path / "store")
    for number, kind in enumerate(KINDS):
        features = chance.normal(scale=0.3, size=(len(SPLITS), MADE.width)).astype(np.float32)
        features[:, number::4] += 3
        images = [row.image for row in rows_of({kind: kind})]
        FeatureStore(store, MADE.fingerprint, MADE.width).add(images, features)
    return {
        "source": {"url": str(tmp_path / "photos")},
        "store": {"url": store},
        "tracking": {"url": f"sqlite:///{tmp_path}/mlflow.db"},
        "training": {"epochs": 30, "learning_rate": 0.03},
    }


@pytest.fixture
def night(settings: dict[str, object], prefect_server: PrefectServer) -> Night:
    """Train and evaluate on tonight's labels, and promote what was trained."""
    assert prefect_server.api_url

    @flow(name="half a night")
    def half(dataset: Dataset, chosen: Settings) -> tuple[Trained, Evaluation]:
        embedded = Embedded(MADE, MADE, 0, 0)
        trained = train(dataset, embedded, chosen)
        return trained, evaluate(dataset, embedded, trained, chosen)

    def run(named: dict[str, str], **changes: object) -> tuple[Trained, Evaluation]:
        chosen = Settings.model_validate(settings | changes)
        rows = rows_of(named)
        name = write_manifest(chosen.store.url, rows)
        classes = tuple(sorted(set(named.values())))
        found = half(Dataset(name, None, len(rows), classes, (), "new", "new"), chosen)
        _promote(chosen.store.url, found[0], name)
        return found

    return run


def _promote(store: str, trained: Trained, dataset: str) -> None:
    number = len(Ledger(store).entries()) + 1
    made = Decision(
        number=number,
        time="2026-11-01T02:00:00+00:00",
        outcome="promoted",
        champion=number,
        against=number - 1 or None,
        dataset=dataset,
        recipe="recipe",
        backbone=MADE.fingerprint,
        head=trained.head,
        run_id=trained.run_id,
        model_version=str(number),
        reason="it is better",
        rules=[],
    )
    assert Ledger(store).append(made)


def same(*kinds: str) -> dict[str, str]:
    """Label kinds by their own names."""
    return {kind: kind for kind in kinds}


def test_a_class_that_appears(night: Night, settings: dict[str, object]) -> None:
    """Both models are compared on the former classes, and diary, run and files name the new one."""
    first = night(same("boxer", "pug"))[1]
    assert (first.comparison, str(first)) == (None, "accuracy 1.000 on 8 test images, no champion yet")
    trained, found = night(same("boxer", "pug", "vizsla"))
    assert found.comparison
    assert (found.images, found.comparison.images) == (12, 8)
    assert (found.comparable_accuracy, found.champion_accuracy) == (1.0, 1.0)
    assert str(found).endswith(
        "; on the 2 classes that the champion shares 1.000 against 1.000; new to the champion: vizsla"
    )
    client = MlflowClient(str(Settings.model_validate(settings).tracking.url))
    tags = client.get_run(trained.run_id).data.tags
    assert {name: tags[f"pedigree.classes.{name}"] for name in ("shared", "only_challenger", "only_champion")} == {
        "shared": "boxer, pug",
        "only_challenger": "vizsla",
        "only_champion": "none",
    }


def test_a_class_that_vanishes(night: Night) -> None:
    """A class without images tonight is named as the champion's alone, and the others are compared."""
    night(same("boxer", "pug", "vizsla"))
    found = night(same("boxer", "pug"))[1]
    assert found.comparison
    assert (found.comparison.shared, found.comparison.only_champion) == (("boxer", "pug"), ("vizsla",))
    assert found.champion_accuracy == 1.0
    assert str(found).endswith("known to the champion alone: vizsla")


def test_a_class_that_gets_another_name(night: Night) -> None:
    """With an alias the champion's former name counts as today's: all classes are shared."""
    night(same("alsatian", "boxer"))
    aliases = {"labels": {"aliases": {"Alsatian": "german shepherd"}}}
    found = night({"alsatian": "german shepherd", "boxer": "boxer"}, **aliases)[1]
    assert found.comparison
    assert found.comparison.classes() == {
        "shared": ("boxer", "german shepherd"),
        "only_challenger": (),
        "only_champion": (),
    }
    assert (found.comparison.images, found.champion_accuracy) == (8, 1.0)


def test_no_class_in_common(night: Night) -> None:
    """Where every class is new there is nothing to compare, and the challenger's own accuracy counts."""
    night(same("alsatian", "boxer"))
    found = night(same("pug", "vizsla"))[1]
    assert found.champion == 1
    assert (found.champion_accuracy, found.comparable_accuracy) == (None, 1.0)
    assert "no test image of the 0 classes that the champion shares" in str(found)


def test_a_warm_start_survives_other_classes(night: Night, settings: dict[str, object]) -> None:
    """With a new, a vanished and a renamed class, training begins with the champion's head and says so."""
    champion = night(same("alsatian", "boxer", "pug"))[0]
    labels = {"alsatian": "german shepherd", "boxer": "boxer", "vizsla": "vizsla"}
    training = {"epochs": 5, "learning_rate": 0.03, "warm_start": True, "search": True}
    trained, found = night(labels, labels={"aliases": {"alsatian": "german shepherd"}}, training=training)
    chosen = Settings.model_validate(settings)
    run = MlflowClient(str(chosen.tracking.url)).get_run(trained.run_id).data
    assert run.tags["pedigree.start"] == champion.head
    assert found.metrics["accuracy"] == 1.0
    assert {"search/learning_rate", "search/l2", "search/tried_validation_loss"} <= run.metrics.keys()
    assert {"ece", "ece_uncalibrated", "temperature", "threshold", "coverage"} <= run.metrics.keys()
    assert {"validation_ece", "validation_ece_uncalibrated"} <= run.metrics.keys()
    assert read_head(chosen.store.url, trained.head)
