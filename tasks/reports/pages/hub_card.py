"""The model card as Markdown in the Hugging Face format, written by its own classes; the hub is never asked."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from configs.card import Card
from configs.visible_text import markdown, visible
from tasks.domain.evaluation.metrics import Figures
from tasks.domain.evaluation.slices import Slice, exclude_whole_slices
from tasks.domain.significance import wilson_share
from tasks.reports.pages.model_card import Section

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

_TEMPLATE = Path(__file__).parents[1] / "templates" / "hub-card.md.j2"
# The network of every backbone, and the task of every model.
_TASK, _TAGS = "image-classification", ("image-classification", "inception-v3", "pedigree")
# What the hub is told of a licence that nobody has chosen, since it knows no word for that.
_OTHER, _NOT_CHOSEN = "other", "not-chosen"
#: Shown where nobody has chosen a licence.
NO_LICENSE = (
    "Nobody has chosen a licence for this model, so that nobody else may use it: card.license in the settings names "
    "one. Think of the terms of the backbone's weights and of the photographs before you do."
)
# The most slices whose recall stands among the card's metadata, the worst first.
_LISTED = 20


@dataclass(frozen=True, slots=True)
class HubMetadata:
    """What a card says to programs, in its first lines.

    Attributes:
        name: The name of the model.
        library: What loads the model.
        card: The licence and whatever else only a person can say.
        dataset: The hash of the dataset version; empty where no figures are given.
        figures: The figures on its test split.
        slices: The slices of the test split.
    """

    name: str = "pedigree"
    library: str = "mlflow"
    card: Card = field(default_factory=Card)
    dataset: str = ""
    figures: Figures | None = None
    slices: Sequence[Slice] = ()


def render_card_markdown(title: str, sections: Sequence[Section], metadata: HubMetadata | None = None) -> str:
    """Render a model card as Markdown with metadata, and with names of classes and keys escaped.

    Args:
        title: The title.
        sections: The sections.
        metadata: What the card says to programs.

    Returns:
        The Markdown text, which begins with YAML between two lines of three dashes.
    """
    _stay_offline()
    from huggingface_hub import ModelCard

    template, data = _TEMPLATE.read_text(encoding="utf-8"), _build_metadata(metadata or HubMetadata())
    card = ModelCard.from_template(data, template_str=template, title=title, sections=sections, escape=markdown)
    return f"{str(card).rstrip()}\n"


def describe_license(card: Card) -> Section:
    """Describe under which licence a model is, or that nobody has chosen one."""
    named = (f"The licence is {card.license}.",) if card.license else (NO_LICENSE,)
    return Section("Licence", (*named, *((card.terms,) if card.terms else ())))


def _stay_offline() -> None:
    """Keep the hub's own package from speaking to the hub, whatever this process does with it later."""
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")


def _build_metadata(metadata: HubMetadata) -> "ModelCardData":
    from huggingface_hub import ModelCardData

    card = metadata.card
    return ModelCardData(
        license=card.license or _OTHER,
        license_name=None if card.license else _NOT_CHOSEN,
        library_name=metadata.library,
        pipeline_tag=_TASK,
        tags=[*_TAGS, *card.tags],
        base_model=card.base_model or None,
        datasets=list(card.datasets) or None,
        metrics=["accuracy", "f1"],
        model_name=visible(metadata.name),
        eval_results=list(_results(metadata)) or None,
    )


def _results(metadata: HubMetadata) -> "Sequence[EvalResult]":
    if metadata.figures is None:
        return ()
    overall, images = metadata.figures.overall, metadata.figures.images
    measured = sorted((entry for entry in exclude_whole_slices(metadata.slices) if entry.known), key=lambda x: x.recall)
    results = [
        _result(metadata, "accuracy", "Accuracy", overall["accuracy"], images),
        _result(metadata, "f1", "F1, averaged over classes", overall["macro_f1"], images),
    ]
    return results + [
        _result(metadata, "recall", f"Recall of {visible(entry.name)}", entry.recall, entry.images, visible(entry.name))
        for entry in measured[:_LISTED]
    ]


def _result(metadata: HubMetadata, kind: str, name: str, value: float, images: int, part: str = "") -> "EvalResult":
    from huggingface_hub import EvalResult

    interval = {} if kind == "f1" else {"interval_95": [round(end, 4) for end in wilson_share(value, images)]}
    return EvalResult(
        task_type=_TASK,
        task_name="Image classification",
        dataset_type="pedigree",
        dataset_name=f"dataset version {metadata.dataset[:12]}",
        dataset_revision=metadata.dataset,
        dataset_split="test",
        dataset_config=part or None,
        dataset_args={"images": images},
        metric_type=kind,
        metric_name=name,
        metric_value=round(value, 4),
        metric_args={"average": "macro"} if kind == "f1" else interval,
    )
