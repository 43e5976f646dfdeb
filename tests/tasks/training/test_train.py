"""Which training an earlier run left behind is this run's own; whole trainings are in the tests of whole runs."""

from pathlib import Path

import pytest

from configs.environment import code_version
from configs.schema import Settings
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.modeling import determinism
from tasks.stores.store import Store
from tasks.training import train
from tasks.training.fit_head import TrainingResult


def test_only_the_same_code_and_machine_go_on_from_a_kept_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training is taken up by the next run, but not once the code was changed or on another processor."""
    rows = [Row(f"{number:064x}", "pug", Split.TRAIN, (), f"{number}.jpg") for number in range(3)]
    dataset = Dataset(dataset_hash(rows), None, 3, ("pug",), (), "new", "to be trained on")
    Store(str(tmp_path)).manifests.write(dataset.hash, rows)
    feature_set = FeatureSet("f" * 64, 8)
    embedded = DatasetFeatures(feature_set, feature_set, 0, 3)
    settings = Settings.model_validate({"source": {"url": "photos"}, "store": {"url": str(tmp_path)}})
    heads = iter("abcd")
    monkeypatch.setattr(train, "log_result", lambda _name, _text: None)

    def trains(*_: object) -> TrainingResult:
        head = next(heads)
        Store(str(tmp_path)).heads.write(head, b"")
        return TrainingResult(feature_set, head, (), {})

    monkeypatch.setattr(train, "train_model", trains)

    def trained() -> str:
        return train._train_or_reuse(dataset, embedded, settings, Store(settings.store.url)).head

    assert [trained(), trained()] == ["a", "a"]
    current = dict(code_version())
    monkeypatch.setattr(train, "code_version", lambda: {**current, "git_dirty": "since a minute ago"})
    assert trained() == "b"
    monkeypatch.setattr(determinism, "describe_machine", lambda _engine: {"cpu": "another one"})
    assert [trained(), trained()] == ["c", "c"]
