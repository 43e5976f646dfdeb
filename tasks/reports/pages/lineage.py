"""The lineage of a model as a picture: source, dataset version, features, model version and decision, each a link."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from posixpath import relpath
from typing import Any

from tasks.domain.phrasing import count
from tasks.domain.registry.decisions import Decision
from tasks.reports.pages.template import render

#: The pages that have the picture, by their files in a run.
PAGES = ("evaluation/report.html", "evaluation/model-card.html")
_REPORT, _CARD = PAGES
_DATA_CARD, _CHANGES, _RECORD = "dataset/card.html", "evaluation/since-champion.html", "record.json"
# Their templates end the picture's place; until something is decided about a model, nothing is there.
_PLACE = re.compile(rb"(?:<!-- lineage -->.*)?<!-- end of lineage -->", re.DOTALL)
# As many hex digits of a hash as commands show.
_SHORT = 12
_ENGINES = {"tensorflow": "TensorFlow", "onnxruntime": "ONNX Runtime"}
_METHODS = {"head": "a head on features", "fine-tune": "fine-tuned"}
_TONES = {"promoted": "promoted", "needs-approval": "needs-approval", "rejected": "rejected", "rolled-back": "rejected"}


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the picture.

    Attributes:
        kind: What it stands for, such as a dataset version.
        name: How people call it.
        details: What else there is to know, in a few words each.
        hash: The first digits of its hash; empty where it has none.
        address: The address of what it names; empty where there is none.
        opens: What that address shows.
        tone: The outcome of a decision, for its colour.
    """

    kind: str
    name: str
    details: tuple[str, ...] = ()
    hash: str = ""
    address: str = ""
    opens: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a model was made from, and what was decided about it.

    Attributes:
        decision: The last decision about the model.
        model: The name of the registered model.
        card: The data card of its dataset version, as it is stored in JSON.
        settings: The settings of its run, as MLflow has them.
        parent: The data card of the parent version; empty where there is none.
        former: The decision whose model was champion then; None where there was none.
        addresses: Addresses where they are known: ``flow_run``, ``run``, ``version``, ``parent``, ``former``, and those
            of the run's files by their names. Of files that have none, the pages link to the file itself.
    """

    decision: Decision
    model: str
    card: Mapping[str, Any]
    settings: Mapping[str, str]
    parent: Mapping[str, Any] = field(default_factory=dict)
    former: Decision | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)


def draw_lineage(page: bytes, file: str, lineage: Lineage) -> bytes:
    """Draw the lineage into a page, in the place of the former picture if it has one.

    Args:
        page: The page as HTML.
        file: Its name in the run.
        lineage: What is drawn.

    Returns:
        The page; unchanged where it has no place for the picture, as a page of an earlier Pedigree.
    """
    picture = render("lineage.html.j2", steps=build_steps(file, lineage)).strip().encode()
    return _PLACE.sub(lambda _: picture, page, count=1)


def build_steps(file: str, lineage: Lineage) -> list[list[Box]]:
    """Build the steps from the source to the decision.

    Args:
        file: The page that shows them.
        lineage: What is shown.

    Returns:
        The boxes of each step; the last of them leads to the next step, and those above lead to it.
    """
    boxes = [
        [_source(lineage)],
        [*_parent(lineage), _dataset(lineage)],
        [_features(lineage)],
        [_model(lineage)],
        [*_former(lineage), _decision(lineage, _CARD if file == _REPORT else _REPORT)],
    ]
    return [[_resolve(box, file, lineage.addresses) for box in step] for step in boxes]


def _resolve(box: Box, file: str, addresses: Mapping[str, str]) -> Box:
    """Replace what a box leads to, names of addresses and of files, by the first address that is known."""
    # What opens stands in the same order as the addresses, the likeliest of which is named first.
    choices = list(zip(box.address.split("|"), box.opens.split("|"), strict=True))
    for name, opens in choices:
        if addresses.get(name):
            return replace(box, address=addresses[name], opens=opens)
    name, opens = choices[-1]
    address = relpath(name, file.rpartition("/")[0]) if "." in name else ""
    return replace(box, address=address, opens=opens)


def _source(lineage: Lineage) -> Box:
    url = lineage.settings.get("source.url", "")
    scheme, _, rest = url.rstrip("/").rpartition("://")
    name = rest if scheme == "s3" else rest.rpartition("/")[2]
    details = [f"as on {_minute(lineage.card)[:10]}"] if "written" in lineage.card else []
    kind = "Bucket" if scheme == "s3" else "Source folder"
    return Box(kind, name or "source", tuple(details), "", f"flow_run|{_DATA_CARD}", "the run in Prefect|its data card")


def _parent(lineage: Lineage) -> list[Box]:
    return [_version("Parent version", lineage.parent, (), "parent")] if lineage.parent else []


def _dataset(lineage: Lineage) -> Box:
    card = {"dataset": lineage.decision.dataset} | dict(lineage.card)
    classes = (count(len(card["classes"]), "class", "classes"),) if "classes" in card else ()
    return _version("Dataset version", card, classes, _DATA_CARD)


def _version(kind: str, card: Mapping[str, Any], details: tuple[str, ...], address: str) -> Box:
    """Return the box of a dataset version, as far as its data card tells of it."""
    name = count(card["images"], "image") if "images" in card else "photographs"
    details = (*details, f"of {_minute(card)}") if "written" in card else details
    return Box(kind, name, details, card["dataset"][:_SHORT], address, "its data card")


def _features(lineage: Lineage) -> Box:
    setting = {name: lineage.settings.get(f"backbone.{name}", "") for name in ("weights", "cut", "size", "engine")}
    weights, engine = setting["weights"].rpartition("/")[2], setting["engine"]
    details = (
        *([f"{weights} weights"] if weights else []),
        *([f"{setting['size']} pixels wide"] if setting["size"] else []),
        *([f"by {_ENGINES.get(engine, engine)}"] if engine else []),
    )
    cut = f"Inception up to {setting['cut']}" if setting["cut"] else "backbone"
    return Box(
        "Features",
        cut,
        details,
        lineage.decision.backbone[:_SHORT],
        f"run|{_RECORD}",
        "its settings|the record of the model",
    )


def _model(lineage: Lineage) -> Box:
    decision = lineage.decision
    accuracy = decision.figures.get("accuracy")
    method = lineage.settings.get("training.method", "")
    details = (
        *([f"accuracy {accuracy:.1%}"] if accuracy is not None else []),
        *([_METHODS[method]] if method in _METHODS else []),
    )
    name = f"{lineage.model} version {decision.model_version}"
    return Box(
        "Model",
        name,
        details,
        decision.head[:_SHORT],
        f"version|{_RECORD}",
        "the model version|the record of the model",
    )


def _former(lineage: Lineage) -> list[Box]:
    former = lineage.former
    if former is None:
        return []
    name = f"version {former.model_version}"
    return [
        Box(
            "Compared with",
            name,
            ("the champion then",),
            former.head[:_SHORT],
            f"former|{_CHANGES}",
            "its model card|what differs from it",
        )
    ]


def _decision(lineage: Lineage, page: str) -> Box:
    decision = lineage.decision
    by = f"by {decision.person}" if decision.person else "by the gate"
    serves = ("became champion",) if decision.champion == decision.number else ()
    outcome = decision.outcome.replace("-", " ")
    details = (by, f"on {decision.time[:10]}", *serves)
    opens = "the model card" if page == _CARD else "the evaluation report"
    name = f"{decision.number}: {outcome}"
    return Box("Decision", name, details, "", page, opens, _TONES.get(decision.outcome, ""))


def _minute(card: Mapping[str, Any]) -> str:
    """Return when a dataset version was written, to the minute: several may be of one day."""
    return str(card["written"])[:16].replace("T", " ")
