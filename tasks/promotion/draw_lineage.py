"""Drawing the lineage of a model into the pages of its run, whenever something is decided about it."""

from collections.abc import Sequence
from urllib.parse import quote

from configs import schema
from configs.errors import PedigreeError, ServiceUnavailableError
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.mlflow_names import CHANGES, DATA_CARD, MODEL_CARD
from tasks.reports.pages.lineage import PAGES, Lineage, draw_lineage
from tasks.stores.store import Store
from tasks.stores.tracking import run_contents
from tasks.stores.tracking.pages import file_page


def draw_lineage_of(store: Store, tracking: schema.Tracking, decision: Decision) -> None:
    """Draw the lineage of a decision's model into the pages of its run, which were written before the decision.

    Args:
        store: The store, whose ledger says what was decided last about the model.
        tracking: The MLflow that has the run.
        decision: A decision about the model.
    """
    pages = run_contents.read_named_files(tracking.url, decision.run_id, PAGES)
    if not pages:
        return
    entries = store.ledger.entries()
    lineage = _trace(store, tracking, decision, entries)
    drawn = {file: draw_lineage(page, file, lineage) for file, page in pages.items()}
    changed = {file: page for file, page in drawn.items() if page != pages[file]}
    if changed:
        run_contents.replace_files(tracking.url, decision.run_id, changed)


def _trace(store: Store, tracking: schema.Tracking, decision: Decision, entries: Sequence[Decision]) -> Lineage:
    about = [entry for entry in entries if entry.model == decision.model and entry.outcome != "renumbered"]
    last = about[-1] if about else decision
    own = [entry for entry in about if entry.run_id == decision.run_id]
    # A person may decide after others: the champion then is that of the first decision, which the gate compared with.
    first = about[0] if about else decision
    former = next((entry for entry in entries if entry.number == first.against), None)
    settings, flow_run = run_contents.read_settings(tracking.url, decision.run_id)
    card = store.data_cards.read(decision.dataset) or {}
    parent = (store.data_cards.read(card["parent"]) if card.get("parent") else None) or {}
    born = next((entry for entry in entries if parent and entry.dataset == parent["dataset"]), None)
    run = _find_page(tracking.url, decision.run_id, DATA_CARD).partition("/artifacts/")[0]
    files = (*PAGES, DATA_CARD, *([CHANGES] if former else []))
    registry = run.partition("/#/")[0]
    addresses = {file: f"{run}/artifacts/{quote(file)}" if run else "" for file in files} | {
        "flow_run": flow_run,
        "run": run,
        "version": f"{registry}/#/models/{quote(tracking.model, '')}/versions/{last.model_version}" if run else "",
        "parent": _find_page(tracking.url, born.run_id, DATA_CARD) if born else "",
        "former": _find_page(tracking.url, former.run_id, MODEL_CARD) if former else "",
    }
    return Lineage(last, tracking.model, card, settings, parent, former, addresses, last not in own[:1])


def _find_page(url: str, run_id: str, file: str) -> str:
    """Return the address of a run's file; empty where MLflow has no pages, or not that run any more."""
    try:
        return file_page(url, run_id, file)
    except ServiceUnavailableError:
        raise
    except PedigreeError:
        return ""
