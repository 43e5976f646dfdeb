"""Two runs compared on MLflow's own pages: which answers flipped, and which photographs differ."""

import json
from urllib.parse import quote

import numpy as np
import pytest
from mlflow import MlflowClient

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.runs.mlflow_tables import build_answer_files, build_change_files, build_table_tag
from tasks.stores.tracking import runs
from tests.browser import needs_chromium, open_page
from tests.servers import MlflowServer

_PATIENCE = 60_000  # Milliseconds that a page may take on a busy machine.
_ROWS = [Row(f"{place:064x}", "corgi", Split.TEST, (), f"corgi/{place}.jpg") for place in range(3)]


def _answers(*corgis: float) -> Predictions:
    return Predictions(("corgi", "poodle"), np.array([[share, 1 - share] for share in corgis], np.float32))


@pytest.fixture
def compared(mlflow_server: MlflowServer) -> tuple[str, list[str], str]:
    """Return MLflow's address, two runs of which the second was held against the first, and their experiment."""
    models, url = (_answers(0.9, 0.2, 0.9), _answers(0.9, 0.7, 0.1)), mlflow_server.url
    run_ids = []
    for number, model in enumerate(models):
        run_id = runs.start_run(url, "compared", {}, build_table_tag())
        change = {"key": "corgi/2.jpg", "image": "a", "what": "poodle to corgi"}
        card = {"parent": "p", "relabelled": [change] if number else []}
        files = build_answer_files(_ROWS, model, models[0] if number else None) | build_change_files(card)
        runs.log_files(url, run_id, files)
        runs.finish(url, run_id, f"run {number}", {}, {})
        run_ids.append(run_id)
    return url, run_ids, str(MlflowClient(url).get_run(run_ids[0]).info.experiment_id)


@needs_chromium
def test_answers_stand_side_by_side(compared: tuple[str, list[str], str]) -> None:
    """The artifact view has a row a photograph and a column a run; the page of compared runs has both lists."""
    url, run_ids, experiment = compared
    learning = "workflowType=machine_learning"
    with open_page(f"{url}/#/experiments/{experiment}/runs?{learning}&compareRunsMode=ARTIFACT", width=1900) as page:
        for cell in ("✗ poodle 80%, not corgi", "✓ corgi 70%, champion poodle", "✗ poodle 90%, not corgi, champion ✓"):
            page.get_by_text(cell, exact=True).first.wait_for(timeout=_PATIENCE)
    both, experiments = (quote(json.dumps(names)) for names in (run_ids, [experiment]))
    with open_page(f"{url}/#/compare-runs?runs={both}&experiments={experiments}&{learning}", width=1900) as page:
        for name, text in (
            ("changes.md", "relabelled: poodle to corgi"),
            ("answers.md", "✓ corgi 70%, champion poodle"),
        ):
            page.get_by_text(name, exact=True).first.click(timeout=_PATIENCE)
            page.get_by_text(f": {text}").first.wait_for(timeout=_PATIENCE)
