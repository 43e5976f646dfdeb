"""Where a rule asks for a person: show what is to be decided, with the evidence, and where to click."""

from dataclasses import replace

from configs import schema
from configs.flat_fields import filled
from tasks.domain.runs.outcome import Outcome
from tasks.reports.prefect_ui.artifacts import approval_form_address, show_approval_request
from tasks.step import log_result, step
from tasks.stores.tracking import runs

_EVIDENCE = {
    "the evaluation report": "evaluation/report.html",
    "the model card": "evaluation/model-card.html",
    "the data card": "dataset/card.html",
}


@step(hours=2, logged=False)
def request_approval(outcome: Outcome, settings: schema.Settings) -> Outcome:
    """Show the question that this night leaves to a person, and name the form that answers it; else change nothing."""
    if outcome.status != "needs-approval" or not outcome.run_id:
        return outcome
    form_sections = ("store", "tracking")
    fields = filled(settings, *(section for section in schema.Settings.model_fields if section not in form_sections))
    form = approval_form_address({"version": outcome.model_version, **fields})
    url = settings.tracking.url
    show_approval_request(
        outcome, form, {name: runs.file_page(url, outcome.run_id, path) for name, path in _EVIDENCE.items()}
    )
    if not form:
        return outcome
    log_result("request_approval", f"version {outcome.model_version} waits for a person, who decides here: {form}")
    return replace(outcome, reason=f"{outcome.reason}, or here: {form}")
