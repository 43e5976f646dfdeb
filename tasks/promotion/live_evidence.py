"""Live evidence: what live photographs said about a challenger, for the gate and for whoever decides."""

from collections.abc import Sequence
from typing import NamedTuple

from configs import schema
from tasks.domain.gate.live_disagreement import LiveDisagreement
from tasks.domain.registry.decisions import Decision, find_champion
from tasks.domain.serving.shadow import Agreement
from tasks.serving.live_agreement import ComparedModels, read_agreement


class Network(NamedTuple):
    """A backbone's fingerprint and a head's hash, which together decide every answer."""

    backbone: str
    head: str


def read_live_disagreement(
    tracking: schema.Tracking, entries: Sequence[Decision], challenger: Network
) -> LiveDisagreement | None:
    """Read how often a challenger and the present champion differ on live photographs.

    A model with the same weights may have been decided about before, and have answered in the champion's shadow since.

    Args:
        tracking: The MLflow to whose runs services write.
        entries: The ledger.
        challenger: The challenger.

    Returns:
        The figures; None where there is no champion, or where it is the challenger itself.
    """
    champion = find_champion(entries)
    if champion is None or (champion.backbone, champion.head) == challenger:
        return None
    models = ComparedModels((champion.backbone, champion.head), (challenger.backbone, challenger.head))
    known = (entry.run_id for entry in entries if (entry.backbone, entry.head) == challenger)
    agreement = Agreement()
    for run_id in dict.fromkeys(known):
        agreement.include(read_agreement(tracking.url, run_id, models))
    return agreement.summarize()
