"""What a night's run in MLflow tells at a glance: its name, and the figures and words by which nights are compared."""

from collections.abc import Mapping
from typing import Any

from tasks.domain.datasets.leakage import KEY, leakage_sentences
from tasks.domain.gate.rule_result import summarize_rule
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.results import Outcome

#: The columns that MLflow's table of runs shows from left to right, as its saved views name them.
COLUMNS = (
    "tags.`pedigree.outcome`",
    "metrics.`accuracy`",
    "metrics.`champion/accuracy`",
    "metrics.`worst_class`",
    "metrics.`worst_slice`",
    "metrics.`dataset/images`",
    "metrics.`dataset/added`",
    "metrics.`dataset/removed`",
    "metrics.`dataset/relabelled`",
    "metrics.`cost/seconds`",
    "tags.`pedigree.model_version`",
    "tags.`pedigree.reason`",
)
_RANDOM_SPLIT = ("claimed", "honest", "low", "high", "same_bytes", "alike")
_CHANGES = ("added", "removed", "relabelled", "findings", "warnings")


def build_run_name(decision: Decision, card: Mapping[str, Any]) -> str:
    """Name a night: ``2026-11-24 promoted, 120 new``; all images of a first version are new."""
    figures = collect_dataset_metrics(card)
    new = f", {int(figures['dataset/added']):,} new" if figures else ""
    return f"{decision.time[:10]} {decision.outcome}{new}"


def collect_dataset_metrics(card: Mapping[str, Any]) -> dict[str, float]:
    """Count what a data card holds: images in all and by split, classes, and what changed since the parent version.

    Nothing is counted where a night died before it wrote the card.
    """
    if "classes" not in card:
        return {}
    splits: dict[str, float] = {}
    for class_card in card["classes"]:
        for split, images in class_card["splits"].items():
            splits[f"dataset/{split}"] = splits.get(f"dataset/{split}", 0.0) + images
    changes = {f"dataset/{name}": float(len(card.get(name, ()))) for name in _CHANGES}
    changes |= {f"dataset/{name}": float(card[name]) for name in ("copies", "alike") if name in card}
    changes |= {f"random_split/{name}": float(card[KEY][name]) for name in _RANDOM_SPLIT if KEY in card}
    first = {} if card.get("parent") else {"dataset/added": float(card["images"])}
    sizes = {"dataset/images": float(card["images"]), "dataset/classes": float(len(card["classes"]))}
    return {**sizes, **splits, **changes, **first}


def build_dataset_tags(card: Mapping[str, Any]) -> dict[str, str]:
    """Say in words what a random split over files would have claimed, where a data card knows it."""
    return {"pedigree.random_split": "; ".join(leakage_sentences(card))} if KEY in card else {}


def build_verdict_tags(decision: Decision) -> dict[str, str]:
    """Write the verdict with its reason, and what happened to each rule, one tag a rule."""
    rules = {f"pedigree.gate.{rule['rule']}": summarize_rule(rule) for rule in decision.rules}
    return {
        "pedigree.outcome": decision.outcome,
        "pedigree.decision": str(decision.number),
        "pedigree.model_version": decision.model_version,
        "pedigree.reason": decision.reason,
        **rules,
    }


def collect_cost_metrics(outcome: Outcome) -> dict[str, float]:
    """List what a night cost: seconds in all and by step, and how many images came, were turned down and embedded."""
    images, spent = outcome.images, outcome.seconds
    counts = {"images_new": images.new, "images_rejected": images.rejected, "images_embedded": images.embedded}
    by_step = {f"cost/{step}_seconds": seconds for step, seconds in spent.items()}
    return {
        "cost/seconds": round(sum(spent.values()), 1),
        **by_step,
        **{f"cost/{name}": float(n) for name, n in counts.items()},
    }
