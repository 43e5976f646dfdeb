"""A store and an MLflow in which versions were registered and decided about, as nights leave them."""

from pathlib import Path

from configs.schema import Tracking
from tasks.domain.decisions import Decided, Decision, aliases
from tasks.domain.manifest import Row, dataset_hash
from tasks.domain.splits import Split
from tasks.overruling import Person, Place
from tasks.stores import registry, tracking
from tasks.stores.datasets import write_card, write_manifest
from tasks.stores.format import check_format
from tasks.stores.ledger import Ledger

ANN = Person("ann", "the dogs look right")
WHEN = "2026-11-01T02:00:00+00:00"


def place_at(folder: Path, url: str = "", model: str = "pedigree") -> Place:
    """Make an empty store, and name an MLflow beside it or at an address."""
    (folder / "store").mkdir()
    check_format(str(folder / "store"))
    address = url or f"sqlite:///{folder}/mlflow.db"
    tracking.check(address)
    return Place(str(folder / "store"), Tracking(url=address, model=model))


def judged(place: Place, outcome: Decided, *, dataset: str = "", applied: bool = True) -> Decision:
    """Register one more version and decide about it; where that is applied, MLflow's aliases have followed."""
    ledger = Ledger(place.store)
    entries = ledger.entries()
    number = len(entries) + 1
    against = entries[-1].champion if entries else None
    run = tracking.start_run(place.tracking.url, "deciding", {}, {})
    packaged = Path(place.store).parent / "packaged"
    packaged.mkdir(exist_ok=True)
    (packaged / "model.json").write_text("{}")
    head, data = f"head {number}", dataset or _dataset(place, number)
    version = registry.register(place.tracking.url, place.tracking.model, run, packaged, {"pedigree.head": head})
    serves = number if outcome == "promoted" else against
    made = Decision(number, WHEN, outcome, serves, against, data, "recipe", "net", head, run, version, "reason", [])
    assert ledger.append(made)
    if applied:
        for alias, named in aliases([*entries, made]).items():
            registry.point(place.tracking.url, place.tracking.model, alias, named)
        ledger.mark_applied(number)
    return made


def _dataset(place: Place, number: int) -> str:
    rows = [Row(f"{number:064}", "pug", Split.TRAIN, (), f"pug/{number}.jpg")]
    name = dataset_hash(rows)
    write_manifest(place.store, name, rows)
    write_card(place.store, name, {"dataset": name, "parent": None}, {})
    return name


def shown(place: Place) -> dict[str, str]:
    """Read which version each alias names."""
    return registry.described(place.tracking.url, place.tracking.model)[0]
