"""Nights between which classes appear, vanish or get another name: trained and evaluated by the real steps."""

from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from configs.errors import PedigreeError
from configs.schema import Settings
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.runs.results import TrainedModel
from tasks.stores.store import Store
from tests.servers import PrefectServer
from tests.tasks.half_nights import MADE, Night, half_night, rows_of, same, small_settings


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    """Make a small store and a database of its own, and say where they are."""
    return small_settings(tmp_path)


@pytest.fixture
def night(settings: dict[str, object], prefect_server: PrefectServer) -> Night:
    """Train and evaluate on tonight's labels, and promote what was trained."""
    assert prefect_server.api_url

    def run(named: dict[str, str], **changes: object) -> tuple[TrainedModel, Evaluation]:
        return half_night(Settings.model_validate(settings | changes), rows_of(named))

    return run


def test_a_class_that_appears(night: Night, settings: dict[str, object]) -> None:
    """Both models are compared on the former classes, and diary, run and files name the new one."""
    first = night(same("boxer", "pug"))[1]
    assert (first.comparison, str(first)) == (None, "accuracy 1.000 on 8 test images, no champion yet")
    trained, evaluation = night(same("boxer", "pug", "vizsla"))
    assert evaluation.comparison
    assert (evaluation.images, evaluation.comparison.images) == (12, 8)
    assert (evaluation.comparison.challenger, evaluation.comparison.champion) == (1.0, 1.0)
    assert str(evaluation).endswith(
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
    evaluation = night(same("boxer", "pug"))[1]
    assert evaluation.comparison
    assert (evaluation.comparison.shared, evaluation.comparison.only_champion) == (("boxer", "pug"), ("vizsla",))
    assert evaluation.comparison.champion == 1.0
    assert str(evaluation).endswith("known to the champion alone: vizsla")


def test_a_class_that_comes_back(night: Night) -> None:
    """After a champion that no longer knows it, a class is new again, tested on the same images as before."""
    first = night(same("boxer", "pug", "vizsla"))[1]
    night(same("boxer", "pug"))
    evaluation = night(same("boxer", "pug", "vizsla"))[1]
    assert evaluation.comparison
    assert (evaluation.comparison.shared, evaluation.comparison.only_challenger) == (("boxer", "pug"), ("vizsla",))
    assert (evaluation.images, evaluation.comparison.images) == (first.images, 8)
    assert str(evaluation).endswith("new to the champion: vizsla")


def test_a_class_that_gets_another_name(night: Night) -> None:
    """With an alias the champion's former name counts as today's: all classes are shared."""
    night(same("alsatian", "boxer"))
    aliases = {"labels": {"aliases": {"Alsatian": "german shepherd"}}}
    evaluation = night({"alsatian": "german shepherd", "boxer": "boxer"}, **aliases)[1]
    assert evaluation.comparison
    assert evaluation.comparison.classes() == {
        "shared": ("boxer", "german shepherd"),
        "only_challenger": (),
        "only_champion": (),
    }
    assert (evaluation.comparison.images, evaluation.comparison.champion) == (8, 1.0)


def test_no_class_in_common(night: Night) -> None:
    """Where every class is new there is nothing to compare, and the challenger's own accuracy counts."""
    night(same("alsatian", "boxer"))
    evaluation = night(same("pug", "vizsla"))[1]
    assert evaluation.champion == 1
    assert evaluation.comparison
    assert (evaluation.comparison.champion, evaluation.comparison.challenger) == (None, None)
    assert "no test image of the 0 classes that the champion shares" in str(evaluation)


def test_figures_survive_other_classes(night: Night, settings: dict[str, object]) -> None:
    """With a new, a vanished and a renamed class, the head is fitted, and each weight decay stands in MLflow."""
    night(same("alsatian", "boxer", "pug"))
    labels = {"alsatian": "german shepherd", "boxer": "boxer", "vizsla": "vizsla"}
    trained, evaluation = night(labels, labels={"aliases": {"alsatian": "german shepherd"}})
    chosen = Settings.model_validate(settings)
    client = MlflowClient(str(chosen.tracking.url))
    run = client.get_run(trained.run_id).data
    assert evaluation.metrics["accuracy"] == 1.0
    losses = {metric.step: metric.value for metric in client.get_metric_history(trained.run_id, "validation_loss")}
    assert len(losses) > 3
    assert losses[max(losses)] == min(losses.values()) == run.metrics["validation_loss"]
    assert run.metrics["l2"] < 3
    assert {"ece", "ece_uncalibrated", "temperature", "threshold", "coverage"} <= run.metrics.keys()
    assert {"validation_ece", "validation_ece_uncalibrated", "held_out_groups"} <= run.metrics.keys()
    assert run.metrics["sure_promised"] == chosen.training.sure_precision
    held = trained.promise.describe_held(evaluation.test.figures.overall, evaluation.images)
    assert run.tags["pedigree.sure"] == f"{trained.promise}; {held}"
    assert Store(chosen.store.url).heads.read(trained.head)


def test_three_validation_images_and_dead_features(settings: dict[str, object], prefect_server: PrefectServer) -> None:
    """With three validation images and features of which most never vary, a night ends with a head that is right."""
    assert prefect_server.api_url
    chosen, rows = Settings.model_validate(settings), rows_of(same("boxer", "pug"), of="dead")
    spare = [row for row in rows if row.split is Split.VALIDATION][3:]
    _keep_features(chosen, rows, dead=12)
    trained, evaluation = half_night(chosen, [row for row in rows if row not in spare])
    assert (trained.validation_accuracy, evaluation.metrics["accuracy"]) == (1.0, 1.0)
    assert "never sure: 31 groups of near duplicates were held out, and it takes at least 59 to promise" in str(trained)


def test_features_that_never_vary(settings: dict[str, object], prefect_server: PrefectServer) -> None:
    """Where a cut gives the same features for all photographs, the night fails in a sentence and keeps no head."""
    assert prefect_server.api_url
    chosen, rows = Settings.model_validate(settings), rows_of(same("boxer", "pug"), of="constant")
    _keep_features(chosen, rows, dead=MADE.width)
    with pytest.raises(
        PedigreeError, match=r"same features, which tell no class from another: take another backbone\.cut"
    ):
        half_night(chosen, rows)
    assert not (Path(chosen.store.url) / "heads").exists()
    assert not Store(chosen.store.url).ledger.entries()


def _keep_features(settings: Settings, rows: list[Row], dead: int) -> None:
    """Draw features that tell boxer from pug, of which so many at the end are always the same."""
    features = np.random.default_rng(0).normal(size=(len(rows), MADE.width)).astype(np.float32)
    features[[row.label == "pug" for row in rows], :4] += 6
    features[:, MADE.width - dead :] = 0.3
    Store(settings.store.url).features(MADE.fingerprint, MADE.width).add([row.image for row in rows], features)
