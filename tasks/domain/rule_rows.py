"""What one rule of a verdict says in a row of a table, the same on every screen: what happened, chance, and outcome."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from configs.rules import FIGURES, RELABELLED, SERVED
from tasks.domain.ruling import chance

#: The columns of such a table.
COLUMNS = ("rule", "what happened", "chance", "outcome")
# Figures that are whole numbers.
_COUNTS = ("images of", "classes lost")


class RuleRow(NamedTuple):
    """One rule: its line, what became of its figure, whether chance may explain it, and what came of the rule."""

    rule: str
    happened: str
    chance: str
    outcome: str


def rule_row(rule: Mapping[str, Any]) -> RuleRow:
    """Write a ruling as the ledger keeps it, also one of an earlier version that kept less, as a row."""
    outcome = str(rule.get("outcome", "passed" if rule.get("passed") else "failed"))
    text, value = str(rule["rule"]), rule.get("value")
    happened = rule.get("happened") or _happened(text, value, silent=bool(rule.get("silent")))
    return RuleRow(text, str(happened), _chance(rule), outcome)


def in_one_line(rule: Mapping[str, Any]) -> str:
    """Say the row in one line, without the rule itself."""
    return " · ".join(cell for cell in rule_row(rule)[1:] if cell)


def _happened(text: str, value: float | None, *, silent: bool) -> str:
    if value is None:
        return "nothing to speak of" if silent else ""
    if text.startswith(SERVED):
        return f"differs by {value:.3f}" if value else "is the same"
    if text.startswith(RELABELLED):
        return f"{value:.3f} of a class" if value else "none moved"
    if "not worse by" in text:
        better, worse = ("rose", "fell") if FIGURES.get(text.split(maxsplit=1)[0], True) else ("fell", "rose")
        return _moved(-value, better, worse)
    if text.startswith("better at"):
        return _moved(value, "ahead", "behind")
    return f"is {value:,.0f}" if text.startswith(_COUNTS) else f"is {value:.3f}"


def _moved(gain: float, better: str, worse: str) -> str:
    if not round(gain, 3):
        return "is the same"
    return f"{better if gain > 0 else worse} by {abs(gain):.3f}"


def _chance(rule: Mapping[str, Any]) -> str:
    p = rule.get("p")
    if p is None:
        return ""
    return f"chance {'does not' if rule.get('unlikely') else 'may'} explain it ({chance(p)})"
