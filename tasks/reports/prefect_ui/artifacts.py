"""Artifacts and states of runs in the Prefect UI: data card, evaluation, summary, approval request, and damage."""

import json
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from configs.errors import PedigreeError
from configs.visible_text import Markdown, markdown, visible
from tasks.domain.datasets.image_issues import summarize_duplicates
from tasks.domain.datasets.leakage import describe_leakage
from tasks.domain.datasets.measured_sample import describe_measured
from tasks.domain.gate.gate import Verdict
from tasks.domain.gate.rule_result import build_rule_row, explain_rule
from tasks.domain.phrasing import count
from tasks.domain.registry.reproduction import Reproduction
from tasks.domain.runs.results import Challenger, Outcome, RunData

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

_SPLITS = ("train", "validation", "test", "held-out")

_WHO = {
    "shared": "compared with the champion on these classes",
    "only_challenger": "classes that the champion does not know",
    "only_champion": "classes that only the champion knows",
}


def show_data_card(card: Mapping[str, Any], page: str) -> None:
    """Create the artifact of a data card: classes by split, changes, warnings, and a link to its page.

    Args:
        card: The data card, as it is stored in JSON.
        page: Path or address of its page.
    """
    lines = [f"# Dataset {card['dataset'][:12]}", "", *(f"- **look:** {markdown(entry)}" for entry in card["warnings"])]
    lines += [f"- {markdown(entry)} waits" for entry in card["waiting"]]
    lines += [f"- {markdown(entry)}" for entry in (summarize_duplicates(card), *describe_leakage(card))]
    lines += [f"- {sentence}"] if (sentence := describe_measured(card)) else []
    changes = {name: len(card[name]) for name in ("added", "removed", "relabelled")}
    lines += [f"- {number:,} images {name} since the parent version" for name, number in changes.items() if number]
    lines += [
        f"- {len(entry['images']):,} images {entry['kind']}: {markdown(entry['meaning'])}" for entry in card["findings"]
    ]
    lines += [f"- {entry['images']:,} objects not in it: {markdown(entry['reason'])}" for entry in card["missing"]]
    # Their names, which anybody may have chosen, are in the log and in the card.
    passed_over = sum(card["passed_over"].values())
    lines += [f"- {passed_over:,} folders, links or half uploads passed over"] if passed_over else []
    lines += ["", f"The whole card, with pictures: {_link(page)}"]
    lines += ["", *format_table(("class", "images", *_SPLITS), [_class_row(entry) for entry in card["classes"]])]
    _publish(lines, key="data-card", description=f"Dataset {card['dataset']}")


def show_evaluation(verdict: Verdict, run_id: str, pages: Mapping[str, str]) -> None:
    """Create the artifact of an evaluation: the verdict, the result of each rule, and links to report and model card.

    Args:
        verdict: The gate's verdict.
        run_id: The challenger's run in MLflow.
        pages: Addresses of pages by their names.
    """
    lines = [f"# {markdown(verdict.title)}", "", *(f"- [{name}]({page})" for name, page in pages.items() if page)]
    lines += ["", f"Report and model card lie in the folder evaluation of MLflow run `{run_id}`.", ""]
    lines += format_rules(verdict.rules_to_dicts())
    _publish(lines, key="evaluation", description=markdown(verdict.reason))


def show_outcome(
    outcome: Outcome,
    data: RunData,
    challenger: Challenger | None,
    pages: Mapping[str, str],
    card: Mapping[str, Any] | None = None,
) -> None:
    """Create the artifact that summarizes a run: outcome, links, what was new, figures, rules, and the time it took.

    Args:
        outcome: How the run ended.
        data: What was ingested, the labels, and the dataset version.
        challenger: What was trained; None where nothing was.
        pages: Addresses of pages by their names.
        card: The data card, as it is stored in JSON; None where the run wrote none.
    """
    lines = [f"# {outcome.status.replace('-', ' ').capitalize()}", ""]
    lines += [f"{markdown(outcome.reason[0].upper() + outcome.reason[1:])}.", ""]
    lines += [f"- [{name}]({page})" for name, page in pages.items() if page]
    lines += (
        [f"- model version {markdown(outcome.model_version)}, MLflow run `{outcome.run_id}`"] if outcome.run_id else []
    )
    lines += [
        "",
        "## What was new",
        "",
        *(f"- {markdown(entry)}" for entry in data.sentences()),
    ]
    lines += [f"- {markdown(entry)} waits" for entry in data.dataset.waiting]
    lines += [f"- dataset `{outcome.dataset}`, parent `{outcome.parent or 'none'}`"]
    lines += [f"- {markdown(entry)}" for entry in (summarize_duplicates(card), *describe_leakage(card))] if card else []
    lines += [f"- **look:** {markdown(entry)}" for entry in card["warnings"]] if card else []
    lines += _evaluation_lines(outcome, challenger) if challenger else []
    lines += ["", "## What it cost", "", *(f"- {entry}" for entry in _saved_work(data, challenger)), ""]
    lines += format_table(("step", "seconds"), [(name, f"{spent:.2f}") for name, spent in outcome.seconds.items()])
    lines += ["", f"All steps: {sum(outcome.seconds.values()):.1f} seconds."]
    _publish(lines, key="summary", description=markdown(outcome.reason))


def _evaluation_lines(outcome: Outcome, challenger: Challenger) -> list[str]:
    evaluation, promise = challenger.evaluation, challenger.model.promise
    lines = ["", "## Figures", "", f"- {markdown(evaluation)}", f"- {markdown(promise)}"]
    lines += [f"- sure answers: {markdown(promise.describe_held(evaluation.test.figures.overall, evaluation.images))}"]
    lines += [f"- {markdown(challenger.features.choice)}"] if challenger.features.choice else []
    lines += [f"- {_WHO[who]}: {markdown(', '.join(names))}" for who, names in outcome.classes.items() if names]
    return [*lines, "", *format_rules(outcome.gate)]


def _saved_work(data: RunData, challenger: Challenger | None) -> list[str]:
    """Return what this run did not have to do again, since former runs had stored it."""
    known_images = max(data.dataset.images - data.ingested.new, 0)
    lines = (
        [f"{count(known_images, 'image')} known before: not fetched, decoded or hashed again"] if known_images else []
    )
    if challenger:
        embedded = challenger.features
        lines += [f"{count(embedded.computed, 'image')} embedded"]
        spared = f", about {embedded.reused * embedded.latency / 1000:,.0f} seconds of work" if embedded.latency else ""
        lines += [f"{count(embedded.reused, 'image')} not embedded again{spared}"] if embedded.reused else []
    return lines


def show_reproduction(reproduction: Reproduction) -> None:
    """Create the artifact of a reproduction: the verdict, and what differs between then and now."""
    lines = [
        f"# {reproduction.verdict.title()}",
        "",
        f"{markdown(reproduction.reason[0].upper() + reproduction.reason[1:])}.",
        "",
    ]
    lines += [
        f"- model version {markdown(reproduction.model_version)}, head `{reproduction.head}`",
        f"- dataset `{reproduction.dataset}`",
    ]
    lines += [f"- trained again: {markdown(reproduction.refitted)}"] if reproduction.refitted else []
    changed = [(difference.what, difference.then, difference.now) for difference in reproduction.differences]
    lines += ["", *format_table(("what differs", "then", "now"), changed)] if changed else []
    _publish(lines, key="reproduction", description=markdown(reproduction.reason))


def show_damage(summary: str, damage: Sequence[tuple[str, str, str]]) -> None:
    """Create the artifact of a store's verification.

    Args:
        summary: What was verified, as a sentence.
        damage: Dataset version, name and detail of everything that is damaged.
    """
    lines = [f"# {'Damaged' if damage else 'Whole'}", "", f"{markdown(summary)}."]
    lines += ["", *format_table(("dataset", "what", "how it shows"), [(name[:12], *rest) for name, *rest in damage])]
    _publish(lines, key="store", description=markdown(summary))


def _publish(lines: Sequence[str], key: str, description: str) -> None:
    """Create an artifact of Markdown lines for the present flow run."""
    from prefect.artifacts import create_markdown_artifact

    create_markdown_artifact("\n".join(lines), key=key, description=description)


def _link(page: str) -> str:
    # A browser opens no file from a page of a server, so that a path is only named.
    return markdown(page) if "://" in page else f"{markdown(page)}, or in MLflow by the link in the run's summary"


def _class_row(class_card: Mapping[str, Any]) -> tuple[object, ...]:
    return class_card["label"], class_card["images"], *(class_card["splits"].get(split, 0) for split in _SPLITS)


_SIGNS = {"passed": "✓ passed", "failed": "**✗ failed**", "ask": "**? ask**"}
_LINE = 70  # characters


def format_rules(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the results of rules as the lines of a Markdown table: the outcome, and the rule above its reason."""
    return format_table(("outcome", "rule and reason"), [_rule_row(rule) for rule in rules])


def _rule_row(rule: Mapping[str, Any]) -> tuple[Markdown, Markdown]:
    row = build_rule_row(rule)
    # Prefect's page breaks no line of a table by itself, and hides what is too long.
    lines = (f"**{markdown(row.rule)}**", *map(markdown, wrap(explain_rule(rule), _LINE)))
    return Markdown(_SIGNS.get(row.outcome, row.outcome)), Markdown("<br>".join(lines))


def format_table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> list[str]:
    """Format a table in Markdown; cells are escaped unless they are Markdown already.

    Args:
        head: The names of the columns.
        rows: The cells of each row.

    Returns:
        The lines of the table.
    """
    line = (Markdown("---"),) * len(head)
    return [f"| {' | '.join(map(markdown, row))} |" for row in (head, line, *rows)]


_DEPLOYMENT = "approve/approve"


def build_approval_form_address(fields: Mapping[str, Any]) -> str:
    """Return the address of the approval form, filled in with these fields; empty where it is not deployed."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.utilities.urls import url_for

    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(_DEPLOYMENT)
        except ObjectNotFound:
            return ""
    page = url_for("deployment", deployment.id)
    given = {name: value for name, value in fields.items() if deployment.parameters.get(name) != value}
    # Prefect's page decodes the parameters in its address twice.
    return f"{page}/run?parameters={quote(quote(json.dumps(given, separators=(',', ':'))), safe='')}" if page else ""


def show_approval_request(outcome: Outcome, form: str, evidence: Mapping[str, str]) -> None:
    """Create the artifact that asks a person to decide: the rules that ask, evidence, and how to promote the version.

    Args:
        outcome: How the run ended.
        form: The address of the approval form; empty where it is not deployed.
        evidence: Addresses of pages by their names.
    """
    version = outcome.model_version
    lines = [f"# Version {markdown(version)} waits for you", "", "A rule of the gate leaves this to a person:", ""]
    lines += [f"- {markdown(rule['said'])}" for rule in outcome.gate if rule["outcome"] == "ask"]
    click = f"**[Promote version {version}]({form})**: give a reason and your name, and press *Submit*."
    command = f"`pedigree model promote {version} -c FILE --why TEXT` promotes it."
    lines += [
        "",
        f"{click if form else command} Until somebody does, the champion serves on.",
        "",
        "## Look before",
        "",
    ]
    lines += [f"- [{name}]({page})" for name, page in evidence.items() if page]
    lines += [f"- the folders evaluation and dataset of MLflow run `{outcome.run_id}`"]
    lines += ["", *format_rules(outcome.gate)]
    _publish(lines, key="approval", description=f"Version {version} waits for a person")


def make_final_state(outcome: Outcome) -> "State[Outcome]":
    """Build the final state of a run: Promoted, Rejected, Needs approval, Unchanged or Waiting, with its reason.

    Args:
        outcome: How the run ended.

    Returns:
        The state.

    Raises:
        PedigreeError: MLflow serves files that were not registered; the run fails, so that people are notified.
    """
    from prefect.states import Completed

    if outcome.alarm:
        raise PedigreeError(f"The run ended {outcome.status}. {outcome.alarm}.")
    state: State[Outcome] = Completed(
        name=outcome.status.replace("-", " ").capitalize(), message=visible(outcome.reason), data=outcome
    )
    return state


def build_flow_run_tags() -> dict[str, str]:
    """Return tags with the id of the present flow run, and the address of its page where the server has pages."""
    from prefect.runtime import flow_run

    page = str(flow_run.ui_url)
    return {"flow_run": str(flow_run.id or "none"), "flow_run_url": page if page.startswith("http") else "none"}


def label_flow_run(name: str, page: str) -> None:
    """Label the present flow run with the address of a page, for messages about the run.

    Args:
        name: The name of the page.
        page: Its address; empty sets no label.
    """
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run

    if flow_run.id and page:
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(UUID(str(flow_run.id)), {f"pedigree.{name}": page})
