"""Live agreement in MLflow: how a challenger compares with the champion on live photographs, by its run's files.

Each service that compares writes a file of its own, again and again under the same name; they are counted together when
somebody asks. So services that run at once, and one that was started anew, lose and repeat nothing.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from configs.errors import PedigreeError
from tasks.domain.gate.live_disagreement import LiveDisagreement
from tasks.domain.registry.decisions import Decision, find_champion
from tasks.domain.runs.mlflow_names import SHADOW
from tasks.domain.serving.shadow import Agreement
from tasks.stores.tracking import runs
from tasks.stores.tracking.pages import file_page

_PARTS, _SUM = "live/parts", "live/shadow.json"


class Network(NamedTuple):
    """A backbone's fingerprint and a head's hash: together they decide every answer, whatever number MLflow gives."""

    backbone: str
    head: str


class ComparedModels(NamedTuple):
    """The two models of a comparison."""

    champion: Network
    challenger: Network

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "ComparedModels":
        """Return which models a comparison is about that was written down."""
        return cls(*(Network(plain[role]["backbone"], plain[role]["head"]) for role in ("champion", "challenger")))


def keep_comparison(url: str, run_id: str, comparison: Mapping[str, Any]) -> None:
    """Write one service's comparison into the challenger's run, and beside it all of them together.

    Args:
        url: MLflow's address.
        run_id: The run in which the challenger was trained.
        comparison: The comparison, as the service counts it.
    """
    # Runs without a challenger that waits do not load what renders pages.
    from tasks.reports.pages.live_agreement_page import render_live_agreement

    runs.log_files(url, run_id, {f"{_PARTS}/{comparison['name']}.json": _to_json(comparison)})
    agreement = read_agreement(url, run_id, ComparedModels.from_dict(comparison))
    names = comparison["champion"], comparison["challenger"]
    total = agreement.to_dict(*names)
    page = render_live_agreement(agreement, *names, share=comparison["share"])
    runs.log_files(url, run_id, {_SUM: _to_json(total), **_link_page(page, url, run_id)})
    figures = {name: total[name] for name in ("answers", "disagreement", "both_sure_different")}
    runs.log_metrics(url, run_id, {f"shadow/{name}": float(value) for name, value in figures.items()})


def read_agreement(url: str, run_id: str, models: ComparedModels) -> Agreement:
    """Read how two models compare on live photographs, by all services that compared them.

    Args:
        url: MLflow's address.
        run_id: The run in which the challenger was trained.
        models: The two models; what was counted beside another champion is left out.

    Returns:
        The answers of all services together; none where nothing was compared.

    Raises:
        PedigreeError: MLflow does not answer, or a file is damaged.
    """
    agreement = Agreement()
    for name, data in runs.read_files(url, run_id, _PARTS).items():
        try:
            plain = json.loads(data)
            if ComparedModels.from_dict(plain) == models:
                agreement.include(Agreement.from_dict(plain))
        except (ValueError, KeyError, TypeError) as error:
            raise PedigreeError(f"The file {name} of MLflow run {run_id} is damaged: remove it there.") from error
    return agreement


def read_live_disagreement(url: str, entries: Sequence[Decision], challenger: Network) -> LiveDisagreement | None:
    """Read how often a challenger and the present champion differ on live photographs.

    A model with the same weights may have been decided about more than once, and have waited each time.

    Args:
        url: The address of the MLflow to whose runs services write.
        entries: The ledger.
        challenger: The challenger.

    Returns:
        The figures; None where there is no champion, or where it is the challenger itself.

    Raises:
        PedigreeError: MLflow does not answer, or a file is damaged.
    """
    champion = find_champion(entries)
    if champion is None or (champion.backbone, champion.head) == challenger:
        return None
    models = ComparedModels(Network(champion.backbone, champion.head), challenger)
    run_ids = (entry.run_id for entry in entries if (entry.backbone, entry.head) == challenger)
    agreement = Agreement()
    for run_id in dict.fromkeys(run_ids):
        agreement.include(read_agreement(url, run_id, models))
    return agreement.summarize()


def prepare_page(url: str, entries: Sequence[Decision], challenger: Decision) -> None:
    """Write the page that an approval leads to, before any live photograph was answered by both models.

    Args:
        url: MLflow's address.
        entries: The ledger.
        challenger: The decision that leaves the challenger to a person.

    Raises:
        PedigreeError: MLflow does not take it.
    """
    from tasks.reports.pages.live_agreement_page import render_live_agreement

    if champion := find_champion(entries):
        first, second = (
            {"version": decision.model_version, "head": decision.head} for decision in (champion, challenger)
        )
        page = render_live_agreement(Agreement(), first, second, share=1.0)
        runs.log_files(url, challenger.run_id, _link_page(page, url, challenger.run_id))


def _link_page(page: str, url: str, run_id: str) -> dict[str, bytes]:
    from tasks.reports.pages.run_links import TITLES, link_pages

    return link_pages({SHADOW: page.encode()}, {file: file_page(url, run_id, file) for file in TITLES})


def _to_json(plain: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(plain), indent=1, ensure_ascii=False).encode()
