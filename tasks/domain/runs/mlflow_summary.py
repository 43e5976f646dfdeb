"""Summary of a run in MLflow: its name, and the metrics and tags by which runs are compared."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.domain.datasets.leakage import RANDOM_SPLIT_KEY
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.evaluation.slices import exclude_whole_slices
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.mlflow_names import STEPS
from tasks.domain.runs.results import Outcome

#: The columns that MLflow's table of runs shows from left to right, as its saved views name them.
COLUMNS = (
    "tags.`pedigree.outcome`",
    "metrics.`test/accuracy`",
    "metrics.`test/worst_slice`",
    "metrics.`dataset/images`",
    "metrics.`dataset/added`",
    "metrics.`champion/accuracy`",
    "duration",  # MLflow's own name of this column; it has no other.
    "attributes.`User`",
    "attributes.`Source`",
    "tags.`pedigree.model_version`",
    "tags.`pedigree.reason`",
)
_RANDOM_SPLIT = ("claimed", "honest")
_CHANGES = ("added", "removed", "relabelled", "findings", "warnings")
_COUNTED = ("images_new", "images_rejected", "images_embedded")


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
    changes |= {
        f"random_split/{name}": float(card[RANDOM_SPLIT_KEY][name])
        for name in _RANDOM_SPLIT
        if RANDOM_SPLIT_KEY in card
    }
    first = {} if card.get("parent") else {"dataset/added": float(card["images"])}
    sizes = {"dataset/images": float(card["images"]), "dataset/classes": float(len(card["classes"]))}
    return {**sizes, **splits, **changes, **first}


def name_training_metrics(
    epochs: Sequence[tuple[int, Mapping[str, float]]],
) -> list[tuple[int, dict[str, float]]]:
    """Return the metrics of a training under the names that MLflow shows them by.

    Args:
        epochs: The number and the metrics of each epoch.

    Returns:
        The same, all in one group.
    """
    return [(number, {f"training/{name}": value for name, value in metrics.items()}) for number, metrics in epochs]


def collect_evaluation_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Collect the metrics of an evaluation: those by which runs are compared, by class and by slice of all classes.

    The file evaluation/evaluation.json and the table of figures have all others.

    Args:
        evaluation: Challenger and champion on the same images.

    Returns:
        The metrics; those of classes and slices with too few images are left out.
    """
    test, pairs = evaluation.test, evaluation.comparison.paired if evaluation.comparison else ()
    recalls = {label.label: label.recall for label in test.figures.classes if label.known and label.recall is not None}
    slices = [part for part in exclude_whole_slices(test.slices) if part.known and not part.label]
    golden = evaluation.golden.figures.overall if evaluation.golden else {}
    single = {
        "test/ece_uncalibrated": evaluation.metrics.get("ece_uncalibrated"),
        "test/worst_class": min(recalls.values(), default=None),
        "test/worst_slice": test.worst.recall if test.worst else None,
        "test/latency_ms": evaluation.latency,
        **{f"gap/{gap.attribute}": gap.gap for gap in test.gaps},
    }
    return {
        **{f"test/{name}": value for name, value in test.figures.overall.items()},
        **{name: value for name, value in single.items() if value is not None},
        **{f"champion/{pair.figure}": pair.champion for pair in pairs if not pair.of},
        **{f"golden/{name}": value for name, value in golden.items()},
        **{f"recall/{label}": recall for label, recall in recalls.items()},
        **{f"slice/{part.attribute}:{part.value}": part.recall for part in slices},
    }


def build_evaluation_tags(evaluation: Evaluation) -> dict[str, str]:
    """Return a tag that names the slice which is recognised worst, where one is known."""
    return {"pedigree.worst_slice": evaluation.test.worst.name} if evaluation.test.worst else {}


def build_verdict_tags(decision: Decision) -> dict[str, str]:
    """Return the tags of a decision: the outcome with its reason, and who decided where that was a person."""
    person = {"pedigree.person": decision.person, "pedigree.why": decision.why} if decision.person else {}
    return {
        "pedigree.outcome": decision.outcome,
        "pedigree.decision": str(decision.number),
        "pedigree.model_version": decision.model_version,
        "pedigree.reason": decision.reason,
        **person,
    }


def collect_cost_metrics(outcome: Outcome) -> dict[str, float]:
    """Collect what a run cost: seconds in all and of the steps that work, and how many images took part."""
    images, seconds = outcome.images, outcome.seconds
    counts = dict(zip(_COUNTED, (images.new, images.rejected, images.embedded), strict=True))
    return {
        "cost/seconds": round(sum(seconds.values()), 1),
        **{f"cost/{name}_seconds": seconds[stored] for stored, name in STEPS.items() if stored in seconds},
        **{f"cost/{name}": float(number) for name, number in counts.items()},
    }
