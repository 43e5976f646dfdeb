"""Live evidence: what live photographs said about a challenger, for the person who decides about it."""

from dataclasses import replace

from configs.errors import PedigreeError, ServiceUnavailableError
from configs.gate_rules import parse_rule
from tasks.domain.gate.live_disagreement import LiveDisagreement, is_live_result
from tasks.domain.registry.decisions import Decision
from tasks.promotion.aliases import Workspace
from tasks.serving.live_agreement import Network, read_live_disagreement
from tasks.step import log_line


def read_live_evidence(workspace: Workspace, decision: Decision) -> LiveDisagreement | None:
    """Read how often a model differs from the champion on live photographs.

    Args:
        workspace: The store whose ledger says who is champion, and the MLflow to which services write.
        decision: A decision about the model.

    Returns:
        The figures; None where none are known: a person may decide without them.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    entries = workspace.store.ledger.entries()
    try:
        live = read_live_disagreement(workspace.tracking.url, entries, Network(decision.backbone, decision.head))
    except ServiceUnavailableError:
        raise
    except PedigreeError as problem:
        log_line(f"What live photographs said about version {decision.model_version} cannot be read: {problem}")
        return None
    return live if live and live.answers else None


def add_live_evidence(promotion: Decision, live: LiveDisagreement | None) -> Decision:
    """Add to a person's promotion what live photographs said, so that the ledger keeps what was known.

    Args:
        promotion: The promotion, with the rules that the gate has applied.
        live: What live photographs said; None where nothing is known.

    Returns:
        The promotion; its reason names a rule whose limit the figure exceeds, which a person may overrule.
    """
    if live is None:
        return promotion
    written = [parse_rule(str(result["rule"])) for result in promotion.rules if is_live_result(result)]
    beyond = "".join(f", where the gate asks for {rule.text}" for rule in written if rule.fails_at(live.share))
    figures = {**promotion.figures, "live_answers": float(live.answers), "live_disagreement": live.share}
    return replace(promotion, reason=f"{promotion.reason}; {live}{beyond}", figures=figures)
