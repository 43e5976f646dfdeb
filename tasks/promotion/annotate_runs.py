"""Showing one decision in MLflow: tags on the version, and tags, figures and files on its run."""

from collections.abc import Callable

from configs import schema
from configs.errors import Outage, Problem
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.mlflow_summary import dataset_figures, dataset_tags, run_name, verdict_tags
from tasks.stores.files.manifests import dataset_files, read_card
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.client import lifecycle, way_back


def tell(store: str, place: schema.Tracking, one: Decision) -> str:
    """Show a decision, as far as MLflow still has its version and run; return what MLflow refuses, and the way out.

    Raises:
        Outage: MLflow does not answer.
    """
    if one.outcome == "renumbered":
        return ""
    refused = (_refusal(lambda: _tag_version(place, one)), _refusal(lambda: _tell_run(store, place, one)))
    return "; ".join(filter(None, refused))


def _refusal(act: Callable[[], None]) -> str:
    """Return why MLflow will not do this now or later, unless somebody does something; empty where it did it."""
    try:
        act()
    except Outage:
        raise
    except Problem as problem:
        return str(problem).rstrip(".")
    return ""


def _tag_version(place: schema.Tracking, one: Decision) -> None:
    """Write the decision onto the version, wherever MLflow has it now."""
    version = registry.version_of(place.url, place.model, one)
    if version:
        registry.tag(place.url, place.model, version.number, _tags(one))


def _tell_run(store: str, place: schema.Tracking, one: Decision) -> None:
    """Write the decision onto the run; a night's own run also gets its data card, and ends.

    A run that MLflow has no longer has nothing to show.
    """
    try:
        if one.by_the_gate:
            _finish(store, place, one)
        else:
            runs.tag(place.url, one.run_id, _tags(one))
    except Outage:
        raise
    except Problem as problem:
        stage = lifecycle(place.url, one.run_id)
        if stage == "active":
            raise
        if stage == "deleted":
            raise Problem(f"{way_back(place.url, one.run_id)}.") from problem


def _finish(store: str, place: schema.Tracking, one: Decision) -> None:
    card = read_card(store, one.dataset) or {}
    tags = verdict_tags(one) | dataset_tags(card)
    runs.log_files(place.url, one.run_id, dataset_files(store, one.dataset))
    runs.finish(place.url, one.run_id, run_name(one, card), tags, dataset_figures(card))


def _tags(one: Decision) -> dict[str, str]:
    person = {"pedigree.person": one.person, "pedigree.why": one.why} if one.person else {}
    return {"pedigree.outcome": one.outcome, "pedigree.decision": str(one.number), **person}
