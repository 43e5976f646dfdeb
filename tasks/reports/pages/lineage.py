"""The lineage of a model as a picture: source, dataset version, features, model version and decision, each a link."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from posixpath import relpath
from typing import Any, NamedTuple, TypeAlias

from tasks.domain.phrasing import SHORT, count
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.mlflow_names import CHANGES, DATA_CARD, MODEL_CARD, RECORD, REPORT
from tasks.domain.runs.mlflow_texts import describe_decision, describe_reason
from tasks.reports.pages.template import render

#: The pages that have the picture, by their files in a run.
PAGES = (REPORT, MODEL_CARD)
# Their templates end the picture's place; until something is decided about a model, nothing is there.
_PLACE = re.compile(rb"(?:<!-- lineage -->.*)?<!-- end of lineage -->", re.DOTALL)
_ENGINES = {"tensorflow": "TensorFlow", "onnxruntime": "ONNX Runtime"}
_METHODS = {"head": "a head on features", "fine-tune": "fine-tuned"}
_TONES = {"promoted": "promoted", "needs-approval": "needs-approval", "rejected": "rejected", "rolled-back": "rejected"}


class Link(NamedTuple):
    """A link: its address, which is empty where there is none, and what that shows."""

    address: str
    opens: str


# What a box may lead to: the name of an address or of a file of the run, and what that shows.
Target: TypeAlias = tuple[str, str]
Linker: TypeAlias = Callable[..., Link]


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the picture.

    Attributes:
        kind: What it stands for, such as a dataset version.
        name: How people call it.
        link: Where it leads.
        details: What else there is to know, in a few words each.
        hash: The first digits of its hash; empty where it has none.
        tone: The outcome of a decision, for its colour.
    """

    kind: str
    name: str
    link: Link
    details: tuple[str, ...] = ()
    hash: str = ""
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
        decided_since: Whether that decision is another one than the gate's at the end of the run.
    """

    decision: Decision
    model: str
    card: Mapping[str, Any]
    settings: Mapping[str, str]
    parent: Mapping[str, Any] = field(default_factory=dict)
    former: Decision | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    decided_since: bool = False


def draw_lineage(page: bytes, file: str, lineage: Lineage) -> bytes:
    """Draw the lineage into a page, in the place of the former picture if it has one, below what was decided last.

    Args:
        page: The page as HTML.
        file: Its name in the run.
        lineage: What is drawn.

    Returns:
        The page; unchanged where it has no place for the picture, as a page of an earlier Pedigree.
    """
    last_word = _tell_last_word(lineage.decision) if lineage.decided_since else ""
    picture = render("lineage.html.j2", steps=build_steps(file, lineage), last_word=last_word).strip().encode()
    return _PLACE.sub(lambda _: picture, page, count=1)


def _tell_last_word(decision: Decision) -> str:
    """Say what holds now: the rest of the page keeps what the gate said at the end of the run."""
    outcome = describe_decision(decision).replace("-", " ")
    words = f"{outcome[0].upper()}{outcome[1:]} on {decision.time[:10]}: {describe_reason(decision).rstrip('.')}."
    return f"{words} This is decision {decision.number}, the last one about this model; the rest of the page is older."


def build_steps(file: str, lineage: Lineage) -> list[list[Box]]:
    """Build the steps from the source to the decision.

    Args:
        file: The page that shows them.
        lineage: What is shown.

    Returns:
        The boxes of each step; the last of them leads to the next step, and those above lead to it.
    """
    link = partial(_link, file, lineage.addresses)
    return [
        [_source(lineage, link)],
        [*_parent(lineage, link), _dataset(lineage, link)],
        [_features(lineage, link)],
        [_model(lineage, link)],
        [*_former(lineage, link), _decision(lineage, MODEL_CARD if file == REPORT else REPORT, link)],
    ]


def _link(file: str, addresses: Mapping[str, str], *targets: Target) -> Link:
    """Link to the first target whose address is known, and else to the last one if it is a file of the run."""
    for name, opens in targets:
        if addresses.get(name):
            return Link(addresses[name], opens)
    name, opens = targets[-1]
    return Link(relpath(name, file.rpartition("/")[0]) if "." in name else "", opens)


def _source(lineage: Lineage, link: Linker) -> Box:
    url = lineage.settings.get("source.url", "")
    scheme, _, path = url.rstrip("/").rpartition("://")
    name = path if scheme == "s3" else path.rpartition("/")[2]
    details = (f"as on {_minute(lineage.card)[:10]}",) if "written" in lineage.card else ()
    kind = "Bucket" if scheme == "s3" else "Source folder"
    return Box(kind, name or "source", link(("flow_run", "the run in Prefect"), (DATA_CARD, "its data card")), details)


def _parent(lineage: Lineage, link: Linker) -> list[Box]:
    return [_version("Parent version", lineage.parent, link(("parent", "its data card")))] if lineage.parent else []


def _dataset(lineage: Lineage, link: Linker) -> Box:
    card = {"dataset": lineage.decision.dataset} | dict(lineage.card)
    classes = (count(len(card["classes"]), "class", "classes"),) if "classes" in card else ()
    return _version("Dataset version", card, link((DATA_CARD, "its data card")), classes)


def _version(kind: str, card: Mapping[str, Any], link: Link, details: tuple[str, ...] = ()) -> Box:
    """Return the box of a dataset version, as far as its data card tells of it."""
    name = count(card["images"], "image") if "images" in card else "photographs"
    details = (*details, f"of {_minute(card)}") if "written" in card else details
    return Box(kind, name, link, details, card["dataset"][:SHORT])


def _features(lineage: Lineage, link: Linker) -> Box:
    setting = {name: lineage.settings.get(f"backbone.{name}", "") for name in ("weights", "cut", "size", "engine")}
    weights, engine = setting["weights"].rpartition("/")[2], setting["engine"]
    details = (
        *([f"{weights} weights"] if weights else []),
        *([f"{setting['size']} pixels wide"] if setting["size"] else []),
        *([f"by {_ENGINES.get(engine, engine)}"] if engine else []),
    )
    cut = f"Inception up to {setting['cut']}" if setting["cut"] else "backbone"
    target = link(("run", "its settings"), (RECORD, "the record of the model"))
    return Box("Features", cut, target, details, lineage.decision.backbone[:SHORT])


def _model(lineage: Lineage, link: Linker) -> Box:
    decision = lineage.decision
    accuracy = decision.figures.get("accuracy")
    method = lineage.settings.get("training.method", "")
    details = (
        *([f"accuracy {accuracy:.1%}"] if accuracy is not None else []),
        *([_METHODS[method]] if method in _METHODS else []),
    )
    name = f"{lineage.model} version {decision.model_version}"
    target = link(("version", "the model version"), (RECORD, "the record of the model"))
    return Box("Model", name, target, details, decision.head[:SHORT])


def _former(lineage: Lineage, link: Linker) -> list[Box]:
    former = lineage.former
    if former is None:
        return []
    target = link(("former", "its model card"), (CHANGES, "what differs from it"))
    return [
        Box("Compared with", f"version {former.model_version}", target, ("the champion then",), former.head[:SHORT])
    ]


def _decision(lineage: Lineage, page: str, link: Linker) -> Box:
    decision = lineage.decision
    by = f"by {decision.person}" if decision.person else "by the gate"
    serves = ("became champion",) if decision.champion == decision.number else ()
    name = f"{decision.number}: {decision.outcome.replace('-', ' ')}"
    target = link((page, "the model card" if page == MODEL_CARD else "the evaluation report"))
    details = (by, f"on {decision.time[:10]}", *serves)
    return Box("Decision", name, target, details, tone=_TONES.get(decision.outcome, ""))


def _minute(card: Mapping[str, Any]) -> str:
    """Return when a dataset version was written, to the minute: several may be of one day."""
    return str(card["written"])[:16].replace("T", " ")
