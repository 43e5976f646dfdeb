"""What evaluation measures, what it keeps with the run, and what it does when a champion or a golden set fails."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from configs.errors import PedigreeError, SettingsError
from configs.schema import Settings
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.gate.rule_result import find_overlaps
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.near_duplicates import group_near_duplicates
from tasks.domain.images.preprocessing import Limits
from tasks.domain.runs.mlflow_names import METRICS
from tasks.domain.synthetic.drawn_dogs import draw
from tasks.stores.store import Store
from tests.images import validate_image
from tests.reference.tracking import is_tracked
from tests.servers import PrefectServer
from tests.tasks.partial_runs import add_features, partial_run, rows_of, same, small_settings

WHITE = (("coat", "white"),)


@pytest.fixture
def chosen(tmp_path: Path, prefect_server: PrefectServer) -> dict[str, object]:
    """Make a small store, and say in settings where it is."""
    assert prefect_server.api_url
    return {**small_settings(tmp_path), "gate": {"minimum_support": 4}}


def test_figures_by_class_and_slice_are_in_mlflow(chosen: dict[str, object]) -> None:
    """The run holds them under names that stay the same, and evaluation.json holds the facts behind them."""
    settings = Settings.model_validate(chosen)
    rows = [*rows_of(same("boxer"), WHITE), *rows_of(same("pug"))]
    partial_run(settings, rows)
    trained, evaluation = partial_run(settings, [*rows, *rows_of(same("vizsla"), WHITE)])
    metrics = MlflowClient(settings.tracking.url).get_run(trained.run_id).data.metrics
    assert metrics["recall/boxer"] == metrics["slice/coat:white"] == 1
    assert not any(name.startswith("slice/boxer/") for name in metrics), "classes have slices in a table"
    assert {"test/top_3", "test/macro_f1", "test/ece", "champion/accuracy", "champion/log_loss"} <= metrics.keys()
    assert all(is_tracked(name, METRICS) for name in metrics)
    uri = f"runs:/{trained.run_id}/evaluation/evaluation.json"
    stored = json.loads(Path(download_artifacts(uri, tracking_uri=settings.tracking.url)).read_text())
    assert stored["test"]["slices"][0]["name"] == "coat=white"
    assert len(stored["test"]["comparison"]["paired"]) == len(
        evaluation.test.comparison.paired if evaluation.test.comparison else ()
    )
    learned = {"learned": 28, "kept": 28, "more": 14, "recipe": "same"}
    assert {name: stored["growth"][name] for name in learned} == learned
    assert stored["growth"]["cross_validated"]["comparison"]["images"] == 44


def test_a_golden_set_is_measured_beside_the_test_split(chosen: dict[str, object]) -> None:
    """Both models are measured on all of its images, whatever their split says, under names of their own."""
    store = str(Settings.model_validate(chosen).store.url)
    add_features(store, of="golden ")
    frozen = rows_of(same("boxer", "pug"), of="golden ")
    golden = dataset_hash(frozen)
    Store(store).manifests.write(golden, frozen)
    settings = Settings.model_validate({**chosen, "evaluation": {"golden": golden}})
    partial_run(settings, rows_of(same("boxer", "pug")))
    trained, evaluation = partial_run(settings, rows_of(same("boxer", "pug", "vizsla")))
    assert evaluation.golden
    assert evaluation.golden.figures.images == 44
    assert evaluation.golden.comparison
    assert evaluation.golden.comparison.images == 44
    assert MlflowClient(settings.tracking.url).get_run(trained.run_id).data.metrics["golden/accuracy"] == 1


def test_a_golden_set_that_is_trained_on_stops_the_run(chosen: dict[str, object]) -> None:
    """Images that are in the training split are named, before anything is trained."""
    rows = rows_of(same("boxer", "pug"))
    golden = dataset_hash(rows[10:16])
    Store(str(Settings.model_validate(chosen).store.url)).manifests.write(golden, rows[10:16])
    settings = Settings.model_validate({**chosen, "evaluation": {"golden": golden}})
    with pytest.raises(PedigreeError, match=r"not apart from what is trained on.*boxer/10.jpg and boxer/10.jpg"):
        partial_run(settings, rows)
    assert MlflowClient(settings.tracking.url).search_experiments(filter_string="name = 'pedigree'") == []


def test_a_golden_set_that_is_not_there_is_named(chosen: dict[str, object]) -> None:
    """A version that the store lacks is answered with the setting and the way to make it."""
    settings = Settings.model_validate({**chosen, "evaluation": {"golden": "a" * 64}})
    with pytest.raises(PedigreeError, match=r"evaluation.golden aaaaaaaaaaaa cannot be read.*pedigree data rebuild"):
        partial_run(settings, rows_of(same("boxer", "pug")))


def test_a_picture_that_looks_like_a_trained_one_overlaps() -> None:
    """A golden picture that is a smaller copy of a trained one is found, one of another dog is not."""
    sizes = {"trained": ("husky", 192), "smaller": ("husky", 120), "other": ("corgi", 192)}
    hashes, rows = {}, {}
    for name, (breed, side) in sizes.items():
        info = _examined(breed, side)
        hashes[info.image] = info.phash
        rows[name] = Row(info.image, breed, Split.TRAIN, (), f"{name}.png")
    pairs = find_overlaps([rows["smaller"], rows["other"]], [rows["trained"]], group_near_duplicates(hashes, 72))
    assert [(overlap.golden, overlap.trained) for overlap in pairs] == [("smaller.png", "trained.png")]


def _examined(breed: str, side: int) -> ImageInfo:
    from io import BytesIO

    file = BytesIO()
    draw(breed, "brown", 1).resize((side, side)).save(file, "PNG")
    info = validate_image(file.getvalue(), Limits(10**8, 10**8, 8))
    assert isinstance(info, ImageInfo)
    return info


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("recall of boxr at least 0.5", "names boxr, which is no class of these images; the nearest is boxer"),
        (
            "recall of coat=wite at least 0.5",
            "names coat=wite, which is no slice of these images; the nearest is coat=white",
        ),
        ("gap of cout at most 0.5", "names cout, which is no attribute of these images; the nearest is coat"),
    ],
)
def test_a_rule_about_what_does_not_exist_names_the_nearest(
    chosen: dict[str, object], rule: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run stops before it trains, with the rule, the word and the nearest that exists in any part of the images."""
    monkeypatch.setattr("tasks.promotion.gate._LOOKED_UP", 1)
    settings = Settings.model_validate({**chosen, "gate": {"rules": [rule]}})
    with pytest.raises(SettingsError, match=message):
        partial_run(settings, rows_of(same("boxer", "pug"), WHITE))


def test_a_champion_that_no_longer_loads(chosen: dict[str, object], tmp_path: Path) -> None:
    """The run stops and says so, unless the settings allow to judge by the rules that need no champion."""
    settings, rows = Settings.model_validate(chosen), rows_of(same("boxer", "pug"))
    champion, _ = partial_run(settings, rows)
    (tmp_path / "store" / "heads" / f"{champion.head}.npz").unlink()
    more = [*rows, *rows_of(same("vizsla"))]
    with pytest.raises(PedigreeError, match=r"champion, model version 1, no longer loads .*gate.when_champion_fails"):
        partial_run(settings, more)
    allowed = Settings.model_validate({**chosen, "gate": {"when_champion_fails": "absolute"}})
    _, evaluation = partial_run(allowed, more)
    assert (evaluation.champion, evaluation.comparison) == (1, None)
    assert "the champion cannot be measured: The file heads/" in str(evaluation)


def test_without_test_images_nothing_is_measured(chosen: dict[str, object]) -> None:
    """An empty test split is answered in a sentence."""
    rows = [row for row in rows_of(same("boxer", "pug")) if row.split is not Split.TEST]
    with pytest.raises(PedigreeError, match="has no test image, so nothing can be measured: add photographs"):
        partial_run(Settings.model_validate(chosen), rows)
