"""Comparisons of several services in one MLflow run: what they come to together, and the page that shows it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from configs.errors import PedigreeError
from tasks.domain.runs.mlflow_names import SHADOW
from tasks.domain.serving.shadow import Agreement, ShadowAnswer
from tasks.serving.live_agreement import ComparedModels, Network, keep_comparison, read_agreement
from tasks.stores.tracking import runs
from tests.servers import mlflow_database

_MODELS = ComparedModels(Network("backbone", "old"), Network("tuned", "new"))


def _comparison(name: str, champion: str, pairs: list[tuple[str, str]]) -> Mapping[str, Any]:
    agreement = Agreement()
    for number, labels in enumerate(pairs):
        first, second = (ShadowAnswer(label, 0.9, sure=True) for label in labels)
        agreement.add(f"{name}{number}", first, second)
    identities = (
        {"version": "3", "backbone": "backbone", "head": champion},
        {
            "version": "4",
            "backbone": "tuned",
            "head": "new",
        },
    )
    return {"name": name, "share": 0.05, **agreement.to_dict(*identities)}


def test_services_are_counted_together(tmp_path: Path) -> None:
    """Each service counts once, however often it writes; what was counted beside another champion counts not at all."""
    url = mlflow_database(tmp_path)
    run = runs.start_run(url, "dogs", {}, {})
    assert read_agreement(url, run, _MODELS).total == 0
    assert read_agreement(url, "0" * 32, _MODELS).total == 0, "a run that MLflow has lost says nothing"
    keep_comparison(url, run, _comparison("former", "another", [("pug", "boxer")] * 50))
    keep_comparison(url, run, _comparison("one", "old", [("pug", "pug")]))
    keep_comparison(url, run, _comparison("one", "old", [("pug", "pug"), ("pug", "corgi")]))
    keep_comparison(url, run, _comparison("two", "old", [("boxer", "boxer"), ("pug", "corgi")]))
    live = read_agreement(url, run, _MODELS).summarize()
    assert (live.answers, live.differing, live.both_sure) == (4, 2, 2)
    assert [(part.label, part.answers, part.instead) for part in live.classes] == [("pug", 3, "corgi")]
    client = MlflowClient(url)
    assert client.get_run(run).data.metrics["shadow/disagreement"] == 0.5
    page = Path(client.download_artifacts(run, SHADOW, str(tmp_path))).read_text(encoding="utf-8")
    assert "2 of 4 answers" in page
    assert "sees 5% of the photographs" in page


def test_a_damaged_comparison_is_named(tmp_path: Path) -> None:
    """Whoever decides by it is told which file is damaged, rather than shown half of the answers."""
    url = mlflow_database(tmp_path)
    run = runs.start_run(url, "dogs", {}, {})
    runs.log_files(url, run, {"live/parts/one.json": b'{"champion": {}}'})
    with pytest.raises(PedigreeError, match=r"live/parts/one\.json"):
        read_agreement(url, run, _MODELS)
