"""Texts that MLflow shows: names of runs, and descriptions of experiment, runs, registered model and versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from configs.visible_text import markdown
from tasks.domain.gate.rule_result import RuleRow, build_rule_row
from tasks.domain.phrasing import SHORT, format_figure
from tasks.domain.registry.decisions import Decision, DecisionOutcome
from tasks.domain.runs.mlflow_names import FIGURES
from tasks.domain.runs.mlflow_summary import collect_dataset_metrics

#: MLflow shows this tag, as Markdown, on top of the page of an experiment or a run.
DESCRIPTION = "mlflow.note.content"
#: Ends each description that Pedigree may replace; who removes it keeps the text as it is.
KEPT = "*Pedigree keeps this text in step with its ledger.*"
#: Describes a run that stands in for one that MLflow has lost, since each version belongs to a run.
STAND_IN = """\
The run that trained this model is not in this MLflow: it was deleted, or this MLflow is a new one. Pedigree has \
registered the model again from its store. Report, cards and figures went with the former run; what was decided about \
the model, and why, stands in the description of its version, and `pedigree model why` tells it as well.\
"""
# Stands in a run's description between what was decided and what the report says.
_RULE = "\n\n---\n\n"
_WORDS: Mapping[DecisionOutcome, str] = {"rolled-back": "rolled back", "lifted": "released"}
# MLflow takes no longer name, and a table shows the first words of it.
_LONGEST_PERSON = 40
_EXPERIMENT = """\
Begin with [the table **Nights**]({table}), or [compare answers]({answers}), one row a photograph and one column a run.

Every retraining that trains is one run. *Nights* shows outcome, accuracy, worst slice, images, what was new, how long \
the run took, and who started it. MLflow opens with its pages for GenAI; these runs are under *Model training*, at the \
upper left.

- **Which answers flipped between two runs, and which photographs differ?** Tick both, press *Compare*, and open \
`answers.md` and `changes.md` under *Artifacts*. A photograph that is missing in one of the two was answered rightly.
- **Which model serves?** The alias `champion` in the *Model registry* says so.
"""
_MODEL = """\
An image classifier that Pedigree retrains. Each version is one training on one dataset version; its \
description says what was decided about it and why, and the tags say from which bytes it was made.

Its aliases:

- `champion` is the version that serves now.
- `challenger` is the version that was decided about last, where it was not promoted.
- `previous` is the version that the champion replaced, to which a roll-back returns.

Load it in Python, wherever MLflow and the packages of the version are installed:

```python
import mlflow, pandas
model = mlflow.pyfunc.load_model("models:/{model}@champion")
model.predict(pandas.DataFrame({{"image": [open("dog.jpg", "rb").read()]}}))
```

Decisions are made by the gate at the end of a run, or by a person: `pedigree model promote`, `rollback`, `hold` and \
`lift`. The aliases follow Pedigree's ledger: an alias that is moved here by hand is reported by the next run.
"""


def describe_experiment(number: str, view: str) -> str:
    """Describe the experiment, with links that work in MLflow wherever it runs.

    Args:
        number: The experiment's number.
        view: The key of the saved view of runs.

    Returns:
        The description, as Markdown.
    """
    runs = f"#/experiments/{number}/runs?workflowType=machine_learning"
    return _EXPERIMENT.format(table=f"{runs}&viewStateShareKey={view}", answers=f"{runs}&compareRunsMode=ARTIFACT")


def describe_model(model: str) -> str:
    """Describe the registered model: what it is, what its aliases mean, and how it is loaded."""
    return _MODEL.format(model=model) + f"\n{KEPT}"


def describe_decision(decision: Decision) -> str:
    """Return what was decided, and by whom if that was a person, such as ``rolled back by Ada``."""
    words = _WORDS.get(decision.outcome, decision.outcome)
    return f"{words} by {decision.person[:_LONGEST_PERSON]}" if decision.person else words


def describe_reason(decision: Decision) -> str:
    """Return why it was decided: a person's own reason, then what it came to."""
    return f"{decision.why} ({decision.reason})" if decision.person and decision.why else decision.reason


def build_run_name(decisions: Sequence[Decision], card: Mapping[str, Any]) -> str:
    """Return the name of a run, such as ``2026-11-24 promoted, 120 new``.

    Args:
        decisions: The decisions about its model, the oldest first: the first gives the day, the last the outcome.
        card: The data card; all images of a first version count as new.

    Returns:
        The name.
    """
    figures = collect_dataset_metrics(card)
    new = f", {int(figures['dataset/added']):,} new" if figures else ""
    return f"{decisions[0].time[:10]} {describe_decision(decisions[-1])}{new}"


def describe_run(decisions: Sequence[Decision], report: str) -> str:
    """Describe a run: what was decided about its model, then what its report says.

    Args:
        decisions: The decisions about its model, the oldest first; none before the gate has decided.
        report: The description so far; what stands there about decisions is replaced.

    Returns:
        The description, as Markdown.
    """
    details = report.partition(_RULE)[2] or report
    return f"{_tell_decisions(decisions)}{_RULE}{details}" if decisions else details


def describe_version(decisions: Sequence[Decision], number: str, model: str, links: Mapping[str, str]) -> str:
    """Describe a registered version: what was decided and why, its figures, the rules, and where to read on.

    Args:
        decisions: The decisions about it, the oldest first.
        number: Its number.
        model: The name of the registered model.
        links: Pages by their names; those without an address are left out.

    Returns:
        The description, as Markdown.
    """
    last = decisions[-1]
    known = [
        f"- {markdown(name)} {format_figure(last.figures[name])}: {FIGURES[name]}"
        for name in FIGURES
        if name in last.figures
    ]
    figures = ["Figures of the test split:", "\n".join(known)] if known else []
    rules = ["Rules of the gate:", describe_rules(last.rules)] if last.rules else []
    pages = [f"[{name}]({page})" for name, page in links.items() if page]
    made = f"Head `{last.head[:SHORT]}`, trained on dataset version `{last.dataset[:SHORT]}`"
    parts = [
        _tell_decisions(decisions),
        *figures,
        *rules,
        f'{made}. Load it by `mlflow.pyfunc.load_model("models:/{model}/{number}")`.',
        *([f"See {', '.join(pages)}."] if pages else []),
        KEPT,
    ]
    return "\n\n".join(parts)


def describe_rules(rules: Sequence[Mapping[str, Any]]) -> str:
    """Return what came of each rule as a list in Markdown: the registry draws tables without space between cells."""
    return "\n".join(_describe_rule(build_rule_row(rule)) for rule in rules)


def _describe_rule(row: RuleRow) -> str:
    outcome = row.outcome if row.outcome == "passed" else f"**{row.outcome}**"
    happened = "; ".join(filter(None, (row.happened, row.chance)))
    return f"- {outcome}: {markdown(row.rule)}{f' ({markdown(happened)})' if happened else ''}"


def is_replaceable(description: str) -> bool:
    """Return whether a description may be replaced: there is none, or Pedigree keeps it and no person."""
    return not description.strip() or KEPT in description


def _tell_decisions(decisions: Sequence[Decision]) -> str:
    """Return the last decision in a sentence, and the earlier ones below it."""
    *earlier, last = decisions
    words = describe_decision(last)
    # Plain, since the registry's list of versions shows the first words as they are written.
    sentence = f"{markdown(words[0].upper() + words[1:])} on {last.time[:10]}: {markdown(describe_reason(last))}."
    former = [
        f"- {entry.time[:10]} {markdown(describe_decision(entry))}: {markdown(describe_reason(entry))}"
        for entry in earlier
    ]
    return "\n".join([sentence, "", "Before that:", "", *reversed(former)]) if former else sentence
