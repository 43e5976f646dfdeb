"""The question that a night leaves to a person: what a rule asks, the evidence, and the form that answers."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.utilities.urls import url_for

from configs.visible_text import markdown
from tasks.domain.outcome import Outcome
from tasks.reports.artifacts import rules_table

_DEPLOYMENT = "approve/approve"


def approval_form(fields: Mapping[str, Any]) -> str:
    """Name the page of the form, filled in as far as it does not start like that; empty where nothing is deployed."""
    with get_client(sync_client=True) as client:
        try:
            found = client.read_deployment_by_name(_DEPLOYMENT)
        except ObjectNotFound:
            return ""
    page = url_for("deployment", found.id)
    given = {name: value for name, value in fields.items() if found.parameters.get(name) != value}
    # Prefect's page takes what stands in its address apart twice.
    return f"{page}/run?parameters={quote(quote(json.dumps(given, separators=(',', ':'))), safe='')}" if page else ""


def show_question(outcome: Outcome, form: str, evidence: Mapping[str, str]) -> None:
    """Show which rules ask, how all of them came out, where to look before deciding, and where to click."""
    version = outcome.model_version
    lines = [f"# Version {markdown(version)} waits for you", "", "A rule of the gate leaves this to a person:", ""]
    lines += [f"- {markdown(rule['said'])}" for rule in outcome.gate if rule["outcome"] == "ask"]
    click = f"**[Promote version {version}]({form})**: give a reason and your name, and press *Submit*."
    told = f"`pedigree model promote {version} -c FILE --why TEXT` promotes it."
    lines += ["", f"{click if form else told} Until somebody does, the champion serves on.", "", "## Look before", ""]
    lines += [f"- [{name}]({page})" for name, page in evidence.items() if page]
    lines += [f"- the folders evaluation and dataset of MLflow run `{outcome.run_id}`"]
    lines += ["", *rules_table(outcome.gate)]
    create_markdown_artifact("\n".join(lines), key="approval", description=f"Version {version} waits for a person")
