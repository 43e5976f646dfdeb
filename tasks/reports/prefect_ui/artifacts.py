"""What a run shows in the Prefect UI: the data card and the summary, as Markdown."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.utilities.urls import url_for

from configs.errors import PedigreeError
from configs.visible_text import Markdown, markdown, visible
from tasks.domain.datasets.image_issues import summarize_duplicates
from tasks.domain.datasets.leakage import leakage_sentences
from tasks.domain.gate.gate import Verdict
from tasks.domain.gate.rule_result import COLUMNS, build_rule_row
from tasks.domain.phrasing import count
from tasks.domain.registry.model_record import Reproduction
from tasks.domain.runs.results import Challenger, Outcome, RunData

_SPLITS = ("train", "validation", "test", "held-out")

_WHO = {
    "shared": "compared with the champion on these classes",
    "only_challenger": "classes that the champion does not know",
    "only_champion": "classes that only the champion knows",
}


def show_data_card(card: Mapping[str, Any], page: str) -> None:
    """Show a data card: classes by split, what changed, what to look at, and where its page is."""
    lines = [f"# Dataset {card['dataset'][:12]}", "", *(f"- **look:** {markdown(entry)}" for entry in card["warnings"])]
    lines += [f"- {markdown(entry)} waits" for entry in card["waiting"]]
    lines += [f"- {markdown(entry)}" for entry in (summarize_duplicates(card), *leakage_sentences(card))]
    changes = {name: len(card[name]) for name in ("added", "removed", "relabelled")}
    lines += [f"- {number:,} images {name} since the parent version" for name, number in changes.items() if number]
    lines += [
        f"- {len(entry['images']):,} images {entry['kind']}: {markdown(entry['meaning'])}" for entry in card["findings"]
    ]
    lines += [f"- {entry['images']:,} objects not in it: {markdown(entry['reason'])}" for entry in card["missing"]]
    # How they are called is a stranger's text, and stands in the log and in the card.
    passed_over = sum(card["passed_over"].values())
    lines += [f"- {passed_over:,} folders, links or half uploads passed over"] if passed_over else []
    lines += ["", f"The whole card, with pictures: {_link(page)}"]
    lines += ["", *format_table(("class", "images", *_SPLITS), [_class_row(entry) for entry in card["classes"]])]
    create_markdown_artifact("\n".join(lines), key="data-card", description=f"Dataset {card['dataset']}")


def show_evaluation(verdict: Verdict, run_id: str, pages: Mapping[str, str]) -> None:
    """Show the verdict, what happened to each rule with its sentence, and the way to the report and the model card."""
    lines = [f"# {markdown(verdict.title)}", "", *(f"- [{name}]({page})" for name, page in pages.items() if page)]
    lines += ["", f"Report and model card lie in the folder evaluation of MLflow run `{run_id}`.", ""]
    lines += format_rules(verdict.rules_to_dicts())
    create_markdown_artifact("\n".join(lines), key="evaluation", description=markdown(verdict.reason))


def show_outcome(
    outcome: Outcome,
    data: RunData,
    challenger: Challenger | None,
    pages: Mapping[str, str],
    card: Mapping[str, Any] | None = None,
) -> None:
    """Show how the night ended: verdict, where to look further, what was new, figures, rules, and what it cost.

    Args:
        outcome: How it ended.
        data: What the photographs came to.
        challenger: What was trained, None where nothing was.
        pages: Addresses of pages that show more.
        card: The data card as it is kept in JSON, where the night wrote one: copies and warnings.
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
        *(f"- {markdown(entry)}" for entry in (data.ingested, data.labels, data.dataset)),
    ]
    lines += [f"- {markdown(entry)} waits" for entry in data.dataset.waiting]
    lines += [f"- dataset `{outcome.dataset}`, parent `{outcome.parent or 'none'}`"]
    lines += (
        [f"- {markdown(entry)}" for entry in (summarize_duplicates(card), *leakage_sentences(card))] if card else []
    )
    lines += [f"- **look:** {markdown(entry)}" for entry in card["warnings"]] if card else []
    lines += _evaluation_lines(outcome, challenger) if challenger else []
    lines += ["", "## What it cost", "", *(f"- {entry}" for entry in _saved_work(data, challenger)), ""]
    lines += format_table(("step", "seconds"), [(name, f"{spent:.2f}") for name, spent in outcome.seconds.items()])
    lines += ["", f"All steps: {sum(outcome.seconds.values()):.1f} seconds."]
    create_markdown_artifact("\n".join(lines), key="summary", description=markdown(outcome.reason))


def _evaluation_lines(outcome: Outcome, challenger: Challenger) -> list[str]:
    evaluation, promise = challenger.evaluation, challenger.model.promise
    lines = ["", "## Figures", "", f"- {markdown(evaluation)}", f"- {markdown(promise)}"]
    lines += [f"- sure answers: {markdown(promise.describe_held(evaluation.test.figures.overall, evaluation.images))}"]
    lines += [f"- {markdown(challenger.features.choice)}"] if challenger.features.choice else []
    lines += [f"- {_WHO[who]}: {markdown(', '.join(names))}" for who, names in outcome.classes.items() if names]
    return [*lines, "", *format_rules(outcome.gate)]


def _saved_work(data: RunData, challenger: Challenger | None) -> list[str]:
    """Say what this night did not have to do again, since former ones had kept it."""
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
    """Show whether a model came out again as it was, with what differs between then and now."""
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
    lines += [f"- made again: {markdown(reproduction.refitted)}"] if reproduction.refitted else []
    changed = [(difference.what, difference.then, difference.now) for difference in reproduction.differences]
    lines += ["", *format_table(("what differs", "then", "now"), changed)] if changed else []
    create_markdown_artifact("\n".join(lines), key="reproduction", description=markdown(reproduction.reason))


def show_damage(summary: str, damage: Sequence[tuple[str, str, str]]) -> None:
    """Show what of the store was looked at, and all that is damaged with its dataset version."""
    lines = [f"# {'Damaged' if damage else 'Whole'}", "", f"{markdown(summary)}."]
    lines += ["", *format_table(("dataset", "what", "how it shows"), [(name[:12], *rest) for name, *rest in damage])]
    create_markdown_artifact("\n".join(lines), key="store", description=markdown(summary))


def _link(page: str) -> str:
    return markdown(page) if "://" in page else f"[{markdown(page)}](file://{quote(page)})"


def _class_row(class_card: Mapping[str, Any]) -> tuple[object, ...]:
    return class_card["label"], class_card["images"], *(class_card["splits"].get(split, 0) for split in _SPLITS)


def _word(outcome: str) -> Markdown:
    return Markdown(outcome if outcome == "passed" else f"**{outcome}**")


def format_rules(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write what happened to each rule, with its sentence, as a table in Markdown."""
    rows = [(*row[:-1], _word(row.outcome), rule.get("said", "")) for rule in rules for row in (build_rule_row(rule),)]
    return format_table((*COLUMNS, "what it says"), rows)


def format_table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> list[str]:
    """Write a table in Markdown, one line a row, whose cells are texts unless they are Markdown already."""
    line = (Markdown("---"),) * len(head)
    return [f"| {' | '.join(map(markdown, row))} |" for row in (head, line, *rows)]


_DEPLOYMENT = "approve/approve"


def build_approval_form_address(fields: Mapping[str, Any]) -> str:
    """Name the page of the form, filled in as far as it does not start like that; empty where nothing is deployed."""
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(_DEPLOYMENT)
        except ObjectNotFound:
            return ""
    page = url_for("deployment", deployment.id)
    given = {name: value for name, value in fields.items() if deployment.parameters.get(name) != value}
    # Prefect's page takes what stands in its address apart twice.
    return f"{page}/run?parameters={quote(quote(json.dumps(given, separators=(',', ':'))), safe='')}" if page else ""


def show_approval_request(outcome: Outcome, form: str, evidence: Mapping[str, str]) -> None:
    """Show which rules ask, how all of them came out, where to look before deciding, and where to click."""
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
    create_markdown_artifact("\n".join(lines), key="approval", description=f"Version {version} waits for a person")


def name_flow_run() -> str:
    """Name a run by the minute of its beginning, which says more in a list than two words of chance."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def make_final_state(outcome: Outcome) -> State[Outcome]:
    """Make the final state: Promoted, Rejected, Needs approval, Unchanged or Waiting, with the reason beside it.

    Raises PedigreeError, so that the run fails and people are told, where MLflow serves what nobody registered.
    """
    if outcome.alarm:
        raise PedigreeError(f"The night ended {outcome.status}. {outcome.alarm}.")
    state: State[Outcome] = Completed(
        name=outcome.status.replace("-", " ").capitalize(), message=visible(outcome.reason), data=outcome
    )
    return state


def build_flow_run_tags() -> dict[str, str]:
    """Name the Prefect flow run that this code runs in, and the address of its page where a server has pages."""
    page = str(flow_run.ui_url)
    return {"flow_run": str(flow_run.id or "none"), "flow_run_url": page if page.startswith("http") else "none"}


def label_flow_run(name: str, page: str) -> None:
    """Write the address of a page onto the flow run, where messages about it find it."""
    if flow_run.id and page:
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(UUID(str(flow_run.id)), {f"pedigree.{name}": page})
