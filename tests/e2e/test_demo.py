"""The demo as a newcomer plays it, and what they then see in the browser."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from pydantic import TypeAdapter

from configs.credentials import NAME, read_password
from flows.demo import demo_settings
from infra import stack
from infra import stack as opening
from tasks.domain.datasets.version_diff import DatasetDrift
from tasks.domain.evaluation.metrics import Measurement
from tasks.domain.gate.gate import GateInputs, apply_gate_rules
from tasks.domain.runs.mlflow_names import METRICS, RUN_TAGS
from tasks.domain.synthetic.drawn_dogs import BREEDS
from tests.browser import log_in, needs_chromium, open_page
from tests.reference.tracking import is_tracked
from tests.wheels import install_wheel

PATIENCE = 60_000  # milliseconds that a page may take on a busy machine


@dataclass(frozen=True, slots=True)
class Played:
    """A demo that has ended: what it told, and the home that holds it."""

    runs: dict[str, dict[str, Any]]
    home: Path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Install a wheel into an empty environment and play its demo from another folder, on the embedded stack."""
    home = tmp_path_factory.mktemp("demo")
    installed = install_wheel(tmp_path_factory.mktemp("wheel"))
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    done = subprocess.run(  # noqa: S603 - our own command line
        [str(installed.program), "demo", "--json"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PEDIGREE_HOME": str(home), "PREFECT_HOME": str(home / "prefect")},
    )
    assert done.returncode == 0, done.stderr
    return Played(json.loads(done.stdout), home)


@pytest.fixture(scope="module")
def pages(played: Played) -> Iterator[dict[str, str]]:
    """Start the local stack on the demo's home; return the addresses of Prefect and MLflow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PREFECT_API_URL", raising=False)
        try:
            status = stack.up(played.home, None)
            patch.setenv("MLFLOW_TRACKING_USERNAME", NAME)
            patch.setenv("MLFLOW_TRACKING_PASSWORD", read_password(played.home))
            yield {part.name: part.address for part in status.parts}
        finally:
            stack.down(played.home)


def test_the_story(played: Played) -> None:
    """Two runs are promoted, a biased one is refused, an honest one promoted, and then there is nothing new."""
    runs = list(played.runs.values())
    assert [run["status"] for run in runs] == ["promoted", "promoted", "rejected", "promoted", "unchanged"]
    assert [run["images"]["embedded"] for run in runs] == [160, 160, 82, 8, 0]
    assert [run["parent"] for run in runs[:2]] == [None, runs[0]["dataset"]]
    assert runs[4]["dataset"] == runs[3]["dataset"]
    assert runs[0]["metrics"]["accuracy"] > 0.8  # four breeds: chance is 0.25


def test_the_biased_run_is_refused_for_its_slices_alone(played: Played) -> None:
    """The refusal names black poodles; by the very facts that the run kept, no other rule would have refused."""
    third = list(played.runs.values())[2]
    assert "poodle with coat=black" in third["reason"]
    run = f"runs:/{third['run_id']}/evaluation"
    folder = Path(download_artifacts(run, tracking_uri=f"sqlite:///{played.home}/mlflow.db"))
    evaluation, verdict = (json.loads((folder / name).read_text()) for name in ("evaluation.json", "gate.json"))
    test = TypeAdapter(Measurement).validate_python(evaluation["test"])
    facts = GateInputs(test, None, TypeAdapter(DatasetDrift).validate_python(verdict["data"]))
    rules = demo_settings(played.home).gate
    repeated = apply_gate_rules(facts, rules)
    assert (repeated.outcome, repeated.reason) == ("rejected", third["reason"])
    without = tuple(rule for rule in rules.rules if "slice" not in rule)
    assert apply_gate_rules(facts, rules.model_copy(update={"rules": without})).outcome == "promoted"


def test_mlflow_leads_from_the_champion_to_its_data(played: Played, pages: dict[str, str]) -> None:
    """The alias names a version, its tags the data, code and decision; its run holds the dataset, manifest and card."""
    client = MlflowClient(pages["MLflow"])
    second = list(played.runs.values())[1]
    version = client.get_model_version("drawn-dogs", second["model_version"])
    assert version.tags["pedigree.dataset"] == second["dataset"]
    assert version.tags["pedigree.outcome"] == second["status"]
    assert {"pedigree.recipe", "pedigree.backbone", "pedigree.head", "pedigree.flow_run"} <= version.tags.keys()
    description = str(version.description)
    assert description.startswith("Promoted on ")
    assert re.search(rf"\[the evaluation report\]\(#/experiments/\d+/runs/{second['run_id']}/artifacts/", description)
    assert str(client.get_registered_model("drawn-dogs").description).startswith("An image classifier")
    aliases = {str(number): name for name, number in client.get_registered_model("drawn-dogs").aliases.items()}
    fourth = list(played.runs.values())[3]
    assert aliases == {fourth["model_version"]: "champion", second["model_version"]: "previous"}
    run = client.get_run(second["run_id"])
    assert run.info.status == "FINISHED"
    assert run.inputs
    assert [dataset_input.dataset.digest for dataset_input in run.inputs.dataset_inputs] == [second["dataset"][:32]]
    assert run.data.metrics["test/accuracy"] == pytest.approx(second["metrics"]["accuracy"])
    assert len(client.get_metric_history(second["run_id"], "training/validation_loss")) > 1
    assert 0.9 < run.data.metrics["random_split/honest"] <= 1
    assert {"mlflow.user", "mlflow.source.name", "mlflow.source.git.commit"} <= run.data.tags.keys()
    # MLflow's duration is that of the night, which begins long before the training does.
    assert run.info.end_time - run.info.start_time >= 1000 * run.data.metrics["cost/embed_seconds"]
    assert all(is_tracked(name, METRICS) for name in run.data.metrics)
    assert all(is_tracked(name, RUN_TAGS) or name == "mlflow.runName" for name in run.data.tags)
    assert (len(run.data.metrics) < 90, len(run.data.tags) < 25) == (True, True)
    names = {file.path for file in client.list_artifacts(second["run_id"], "dataset")}
    assert names == {f"dataset/{file}" for file in ("manifest.parquet", "card.json", "card.html", "croissant.json")}
    shown = {file.path for file in client.list_artifacts(second["run_id"], "evaluation")}
    assert {f"evaluation/{file}" for file in ("report.html", "model-card.md", "model-card.html")} <= shown
    assert "evaluation report" in run.data.tags["mlflow.note.content"]
    # The card was written before the decision, and shows it all the same.
    card = Path(client.download_artifacts(second["run_id"], "evaluation/model-card.html")).read_text()
    assert ">2: promoted</b>" in card
    assert f">drawn-dogs version {second['model_version']}</b>" in card
    # So was the data card, of which the run's copy leads to the other pages of the run.
    data_card = Path(client.download_artifacts(second["run_id"], "dataset/card.html")).read_text()
    assert all(f'title="{file}">' in data_card for file in shown if file.endswith(".html"))


def test_the_version_is_described_for_machines(played: Played) -> None:
    """The Croissant metadata of a version are valid, and lead to every row of its manifest."""
    import mlcroissant

    second = list(played.runs.values())[1]
    folder = played.home / "demo" / "store" / "datasets" / second["dataset"]
    described = mlcroissant.Dataset(jsonld=folder / "croissant.json")
    assert not described.metadata.ctx.issues.errors
    rows = list(described.records("images"))
    assert len(rows) == second["images"]["total"]
    assert {row["images/label"].decode() for row in rows} == {*BREEDS} - {"beagle"}


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_data_card_is_read_on_a_phone(played: Played, scheme: str) -> None:
    """The card's page asks nobody for anything, fits a phone, shows its pictures, and is light or dark as one likes."""
    second = list(played.runs.values())[1]
    card = played.home / "demo" / "store" / "datasets" / second["dataset"] / "card.html"
    with open_page("about:blank", width=390, height=844) as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto(card.as_uri())
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        shown = page.evaluate("[...document.images].map(one => one.naturalWidth)")
        assert len(shown) >= 12
        assert min(shown) > 0
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"[0-9]+", ground)[:3])) < 3 * 128) == (scheme == "dark")
        for words in ("Attributes by class", "Since the parent version", "160 added"):
            assert page.get_by_text(words).count() >= 1


@needs_chromium
def test_prefect_shows_the_run(played: Played, pages: dict[str, str]) -> None:
    """The run from before the server was started is there, with its state, its run log and its summary."""
    from playwright.sync_api import expect

    first = next(iter(played.runs.values()))
    with open_page("about:blank") as page:
        log_in(page, opening.make_login_links(played.home))
        page.goto(f"{pages['Prefect']}/runs")
        expect(page.get_by_text("Unchanged").first).to_be_visible(timeout=PATIENCE)
        page.get_by_text("Promoted").first.wait_for(timeout=PATIENCE)
        page.locator("a[href*='/runs/flow-run/']").last.click()
        expect(page.get_by_text("160 objects fetched: 160 new images, 0 rejected")).to_be_visible(timeout=PATIENCE)
        page.get_by_text("Artifacts", exact=True).click()
        expect(page.get_by_text(f"Dataset {first['dataset'][:12]}").first).to_be_visible(timeout=PATIENCE)


@needs_chromium
def test_mlflow_shows_runs_side_by_side(played: Played, pages: dict[str, str]) -> None:
    """Two runs are compared on one page, with what they were made from and how good they are."""
    from playwright.sync_api import expect

    runs = [run["run_id"] for run in played.runs.values() if run["run_id"]]
    address = f"{pages['MLflow']}/#/compare-runs?runs={json.dumps(runs)}&experiments=[%221%22]"
    with open_page("about:blank") as page:
        log_in(page, opening.make_login_links(played.home))
        page.goto(address)
        for words in ("backbone.cut", "macro_f1", "training.seed"):
            expect(page.get_by_text(words).first).to_be_visible(timeout=PATIENCE)
