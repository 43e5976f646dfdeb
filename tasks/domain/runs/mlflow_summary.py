"""Summary of a run in MLflow: its name, and the metrics and tags by which runs are compared."""

from collections.abc import Mapping
from typing import Any

from tasks.domain.datasets.leakage import RANDOM_SPLIT_KEY, describe_leakage
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
    """Return the name of a run, such as ``2026-11-24 promoted, 120 new``.

    Args:
        decision: The decision about its model.
        card: The data card; all images of a first version count as new.

    Returns:
        The name.
    """
    figures = collect_dataset_metrics(card)
    new = f", {int(figures['dataset/added']):,} new" if figures else ""
    return f"{decision.time[:10]} {decision.outcome}{new}"


def collect_dataset_metrics(card: Mapping[str, Any]) -> dict[str, float]:
    """Collect the metrics of a data card: images by split, classes, and changes since the parent version.

    Returns:
        The metrics; empty where the run ended before it wrote the card.
    """
    if "classes" not in card:
        return {}
    splits: dict[str, float] = {}
    for class_card in card["classes"]:
        for split, images in class_card["splits"].items():
            splits[f"dataset/{split}"] = splits.get(f"dataset/{split}", 0.0) + images
    changes = {f"dataset/{name}": float(len(card.get(name, ()))) for name in _CHANGES}
    changes |= {f"dataset/{name}": float(card[name]) for name in ("copies", "alike") if name in card}
    changes |= {
        f"random_split/{name}": float(card[RANDOM_SPLIT_KEY][name])
        for name in _RANDOM_SPLIT
        if RANDOM_SPLIT_KEY in card
    }
    first = {} if card.get("parent") else {"dataset/added": float(card["images"])}
    sizes = {"dataset/images": float(card["images"]), "dataset/classes": float(len(card["classes"]))}
    return {**sizes, **splits, **changes, **first}


def build_dataset_tags(card: Mapping[str, Any]) -> dict[str, str]:
    """Return a tag with what a random split over files would have claimed, where the data card has it."""
    return {"pedigree.random_split": "; ".join(describe_leakage(card))} if RANDOM_SPLIT_KEY in card else {}


def build_verdict_tags(decision: Decision) -> dict[str, str]:
    """Return the tags of a decision: the outcome with its reason, and one tag for each rule."""
    rules = {f"pedigree.gate.{rule['rule']}": summarize_rule(rule) for rule in decision.rules}
    return {
        "pedigree.outcome": decision.outcome,
        "pedigree.decision": str(decision.number),
        "pedigree.model_version": decision.model_version,
        "pedigree.reason": decision.reason,
        **rules,
    }


def collect_cost_metrics(outcome: Outcome) -> dict[str, float]:
    """Collect what a run cost: seconds in all and by step, and how many images were new, rejected and embedded."""
    images, seconds = outcome.images, outcome.seconds
    counts = {"images_new": images.new, "images_rejected": images.rejected, "images_embedded": images.embedded}
    seconds_by_step = {f"cost/{step}_seconds": seconds for step, seconds in seconds.items()}
    return {
        "cost/seconds": round(sum(seconds.values()), 1),
        **seconds_by_step,
        **{f"cost/{name}": float(n) for name, n in counts.items()},
    }
