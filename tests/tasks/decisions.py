"""A store and an MLflow in which versions were registered and decided about, as runs leave them."""

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from configs.schema import Tracking
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.decisions import Decision, DecisionOutcome, resolve_aliases
from tasks.domain.registry.model_record import Record
from tasks.domain.training.results import FeatureSet
from tasks.modeling.backbone.serialization import hash_weights, to_bytes
from tasks.modeling.head.head import Head
from tasks.promotion.aliases import Approver, Workspace
from tasks.serving.model_package import write_mlflow_model
from tasks.stores.store import Store
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.client import check_tracking
from tests.servers import mlflow_database

ANN = Approver("ann", "the dogs look right")
WHEN = "2026-11-01T02:00:00+00:00"


def make_workspace(folder: Path, url: str = "", model: str = "pedigree") -> Workspace:
    """Make an empty store, and name an MLflow beside it or at an address."""
    (folder / "store").mkdir()
    Store(str(folder / "store")).check_format()
    address = url or mlflow_database(folder)
    check_tracking(address)
    return Workspace(Store(str(folder / "store")), Tracking(url=address, model=model))


def add_decision(
    workspace: Workspace, outcome: DecisionOutcome, *, dataset: str = "", applied: bool = True
) -> Decision:
    """Register one more version and decide about it; where that is applied, MLflow has followed."""
    ledger, at = workspace.store.ledger, workspace.tracking
    entries = ledger.entries()
    number = len(entries) + 1
    against = entries[-1].champion if entries else None
    run = runs.start_run(at.url, "deciding", {}, {})
    head, backbone, data = _head(workspace, number), _backbone(workspace), dataset or _dataset(workspace, number)
    feature_set = FeatureSet(backbone, 2)
    workspace.store.records.write(Record(data, {}, feature_set, feature_set, head, {"git_commit": "none"}, {}))
    tags = {
        "pedigree.head": head,
        "pedigree.dataset": data,
        "pedigree.recipe": "recipe",
        "pedigree.store": workspace.store.identity(),
    }
    version = registry.register(at.url, at.model, run, tags, partial(write_mlflow_model, _packaged(workspace)))
    serves = number if outcome == "promoted" else against
    decision = Decision(number, WHEN, outcome, serves, against, data, "recipe", backbone, head, run, version, "why", [])
    assert ledger.append(decision)
    if applied:
        registry.tag_version(at.url, at.model, version, {"pedigree.decision": str(number), "pedigree.outcome": outcome})
        registry.tag_model(at.url, at.model, "pedigree.followed", str(number))
        for alias, champion in resolve_aliases([*entries, decision]).items():
            registry.set_alias(at.url, at.model, alias, champion.model_version if champion else None)
        ledger.mark_applied(number)
    return decision


def _head(workspace: Workspace, number: int) -> str:
    head = Head(("a", "b"), np.full((2, 2), number, np.float32), np.zeros(2, np.float32))
    workspace.store.heads.write(head.name, head.to_bytes())
    return head.name


def _backbone(workspace: Workspace) -> str:
    weights = [np.ones((2, 2), np.float32)]
    facts = {"weights": hash_weights(weights)}
    workspace.store.backbones.write(sha256_of(facts), to_bytes(weights), facts)
    return sha256_of(facts)


def _packaged(workspace: Workspace) -> Path:
    folder = Path(workspace.store.url).parent / "packaged"
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_text("{}")
    return folder


def _dataset(workspace: Workspace, number: int) -> str:
    rows = [Row(f"{number:064}", "pug", Split.TRAIN, (), f"pug/{number}.jpg")]
    name = dataset_hash(rows)
    workspace.store.manifests.write(name, rows)
    workspace.store.data_cards.write(name, {"dataset": name, "parent": None}, {})
    return name


def database(workspace: Workspace) -> Path:
    """Name the file of the embedded database."""
    return Path(workspace.tracking.url.removeprefix("sqlite:///"))


def copied(origin: Path, target: Path) -> Path:
    """Put what a database holds in place of another one's contents, also under open connections."""
    with closing(sqlite3.connect(origin)) as read, closing(sqlite3.connect(target)) as write:
        read.backup(write)
    return target


def emptied(workspace: Workspace) -> None:
    """Put a new and empty MLflow in the place of one."""
    fresh = database(workspace).with_name("fresh.db")
    if not fresh.exists():
        check_tracking(f"sqlite:///{fresh}")
    copied(fresh, database(workspace))


def shown(workspace: Workspace) -> dict[str, str]:
    """Read which version each alias names."""
    return registry.read_aliases_and_tags(workspace.tracking.url, workspace.tracking.model)[0]
