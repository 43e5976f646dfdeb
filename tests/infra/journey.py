"""What a person does in the browser: in Prefect's pages, in MLflow's, and back; each page is kept as a picture."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from infra.orchestration.forms import fill_parameters
from tests.infra.running import Running
from tests.servers import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_PATIENCE = 60_000  # milliseconds that a page may take on a busy machine
_AFTER_SUBMIT = re.compile("runs/flow-run|deployments/deployment/[0-9a-f-]+$")


@dataclass(frozen=True)
class Journey:
    """A browser's window, and the stack that it looks at."""

    page: "Page"
    running: Running

    def fill_in_the_form(self) -> FlowRun:
        """Read what each field means, ask for a model where nothing is new, and let silent rules ask a person."""
        deployment = self.running.prefect.read_deployment_by_name("retrain/retrain")
        self.page.goto(f"{self.running.address}/deployments/deployment/{deployment.id}/run")
        self._see("Any other setting")
        labels = self.page.locator(".schema-form-property__label").all_inner_texts()
        titles = ["force", "as_of", "source.url", "store.url", "gate.rules", "other settings"]
        assert [title for title in titles if not any(label.startswith(title) for label in labels)] == []
        assert not any(label.startswith("training.") for label in labels)
        self._field("force").get_by_role("switch").click()
        other_settings = self._field("other settings")
        other_settings.get_by_role("button", name="Add item").click()
        other_settings.get_by_role("textbox").fill("gate.when_silent=ask")
        self._keep("run-form", full_page=True)
        self._submit()
        run = self._latest_run(deployment.id)
        chosen = {
            **fill_parameters("retrain", self.running.settings),
            "force": True,
            "changes": ["gate.when_silent=ask"],
        }
        assert {name: run.parameters.get(name) for name in chosen} == chosen
        return run

    def watch_its_progress(self, run: FlowRun) -> None:
        """See the run's page grow: its run log, and the progress of what takes long."""
        self.page.goto(f"{self.running.address}/runs/flow-run/{run.id}")
        self._see("36 objects in")
        # The page asks no more for artifacts once a run has ended, and this run may end before it asks again.
        self.running.shows(run, "progress-train")
        self.page.reload()
        self.page.get_by_text("Artifacts", exact=True).first.click()
        self._see("train: ")
        self._keep("progress")

    def read_the_summary(self, run: FlowRun) -> None:
        """Find the summary among the run's artifacts, and go on to MLflow by its link."""
        self.page.goto(f"{self.running.address}/runs/flow-run/{run.id}")
        self.page.get_by_text("Artifacts", exact=True).first.click()
        self.page.get_by_role("link", name="summary").first.click()
        for words in ("What was new", "36 images known before", "What it cost"):
            self._see(words)
        self._keep("summary")
        address = self.page.get_by_role("link", name="the run in MLflow").get_attribute("href")
        assert address
        self.page.goto(address)
        self._see("pedigree.dataset")
        self._keep("mlflow-run")

    def compare_in_mlflow(self) -> None:
        """Tick all runs of the experiment, and see them side by side."""
        self.page.goto(re.sub("/runs/.*", "/runs", self.page.url))
        self.page.get_by_role("checkbox").first.click()
        self.page.get_by_role("button", name="Compare").click()
        self._see("Comparing")
        self._keep("mlflow-compare")

    def approve(self, run: FlowRun) -> FlowRun:
        """Follow the link that the run shows, and say why."""
        self.page.goto(f"{self.running.address}/runs/flow-run/{run.id}")
        self.page.get_by_text("Artifacts", exact=True).first.click()
        self.page.get_by_role("link", name="approval").first.click()
        self._see("waits for you")
        self._keep("approval")
        form = self.page.get_by_role("link", name=re.compile("Promote version")).get_attribute("href")
        assert form
        self.page.goto(form)
        for name, text in (("why", "I looked"), ("by", "ann")):
            self._field(name).get_by_role("textbox").fill(text)
        self._keep("approve-form")
        self._submit()
        return self._latest_run(self.running.prefect.read_deployment_by_name("approve/approve").id)

    def _field(self, name: str) -> "Locator":
        label = self.page.locator(".schema-form-property__label", has_text=re.compile(rf"^{re.escape(name)}( |$)"))
        return self.page.locator(".schema-form-property", has=label).last

    def _submit(self) -> None:
        self.page.get_by_role("button", name="Submit").click()
        self.page.wait_for_url(_AFTER_SUBMIT, timeout=_PATIENCE)

    def _see(self, words: str) -> None:
        self.page.get_by_text(words).first.wait_for(timeout=_PATIENCE)

    def _latest_run(self, deployment: UUID) -> FlowRun:
        chosen = FlowRunFilter.model_validate({"deployment_id": {"any_": [deployment]}})
        latest = FlowRunSort.EXPECTED_START_TIME_DESC
        return self.running.prefect.read_flow_runs(flow_run_filter=chosen, sort=latest)[0]

    def _keep(self, name: str, *, full_page: bool = False) -> None:
        folder = ROOT / ".ci" / "output"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(self.page.screenshot(animations="disabled", full_page=full_page))
