"""Gate rules: the grammar of the lines in which people write them.

SUBJECT at least NUMBER | SUBJECT at most NUMBER | SUBJECT not worse by NUMBER | served as evaluated

At its end a rule may say "else ask": where it fails, a person decides.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, cast

Kind = Literal["at least", "at most", "not worse by"]
Scope = Literal["all", "class", "slice", "attribute", "data", "served", "live"]

#: Figures of a whole set of images, and whether more is better.
FIGURES = {
    "accuracy": True,
    "top_3": True,
    "macro_f1": True,
    "log_loss": False,
    "ece": False,
    "coverage": True,
    "precision_when_sure": True,
}
#: The rule without a number, the smoke test: the packaged model, served elsewhere, predicts as it was evaluated.
SERVED = "served as evaluated"
#: The share of a class's photographs that carry another label than under the champion; its rule always asks.
RELABELLED = "relabelled"
#: The share of a class's labels that are probably wrong, by the features.
SUSPECTS = "suspects"
#: The share of live photographs that challenger and champion answer differently.
LIVE = "live disagreement"
#: How the rule begins that the gate adds itself: the challenger must be better, or likely to be.
IMPROVEMENT = "better at"
#: What stands for every class, slice or attribute.
ANY = {"class": "any class", "slice": "any slice", "attribute": "any attribute"}
DEFAULT_RULES = (
    "accuracy at least 0.5",
    "accuracy not worse by 0.01",
    "macro_f1 not worse by 0.02",
    "recall of any class not worse by 0.05",
    "recall of any slice not worse by 0.05",
    "classes lost at most 0",
    "relabelled of any class at most 0.1",
    "label conflicts at most 0.05",
    "served as evaluated",
)

_SERVED = re.compile(rf"{SERVED}( else ask)?")
_LINE = re.compile(r"(.+?)( on golden)? (at least|at most|not worse by) (\d+(?:\.\d+)?|\.\d+)( else ask)?")
_PARTS: dict[str, Scope] = {
    "recall": "class",
    "precision": "class",
    "gap": "attribute",
    "images": "class",
    RELABELLED: "class",
    SUSPECTS: "class",
}
# The most words that are listed where none is near.
_NAMED = 12
_COUNTS = ("images", "classes lost")
_DATA = ("classes lost", "label conflicts", "drift")
_WHOLE: dict[str, Scope] = {**dict.fromkeys(FIGURES, "all"), **dict.fromkeys(_DATA, "data"), LIVE: "live"}
_UNBOUNDED = ("log_loss", *_COUNTS)


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule: which figure, of which class, slice or attribute, and its limit.

    Attributes:
        text: The line as it was written.
        figure: The figure, such as accuracy or recall.
        scope: What the figure is about.
        of: The class, slice or attribute; empty for a whole set.
        kind: How the limit is meant.
        limit: The limit, a share or a number as the figure has it.
        golden: Measured on the golden set instead of the test split.
        ask: A person decides where the rule fails.
    """

    text: str
    figure: str
    scope: Scope
    of: str
    kind: Kind
    limit: float
    golden: bool
    ask: bool

    @property
    def any(self) -> bool:
        """Return whether the rule is about every class, slice or attribute."""
        return self.of == ANY.get(self.scope)

    @property
    def compares(self) -> bool:
        """Return whether the rule compares the challenger with the champion."""
        return self.kind == "not worse by"

    def fails_at(self, value: float) -> bool:
        """Return whether a value is on the wrong side of the limit; a difference of a billionth is rounding."""
        return value < self.limit - 1e-9 if self.kind == "at least" else value > self.limit + 1e-9


def parse_rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Parse rules.

    Args:
        texts: The lines.

    Returns:
        The rules in the same order.

    Raises:
        ValueError: A line is no rule, or two lines contradict each other; the message is a sentence.
    """
    rules = tuple(parse_rule(text) for text in texts)
    for rule, other in combinations(rules, 2):
        _agree(rule, other)
    return rules


def parse_rule(text: str) -> Rule:
    """Parse one rule.

    Args:
        text: The line.

    Returns:
        The rule.

    Raises:
        ValueError: The line is no rule; the message is a sentence that names the nearest known word.
    """
    words = " ".join(text.split())
    if served := _SERVED.fullmatch(words):
        # None of the sample's predictions may differ.
        return Rule(text, SERVED, "served", "", "at most", 0.0, golden=False, ask=bool(served[1]))
    match = _LINE.fullmatch(words)
    if not match:
        raise ValueError(
            f"the rule {text!r} cannot be read: write a figure, then at least, at most or not worse by, then a number, "
            "such as accuracy at least 0.5"
        )
    subject, golden, kind, limit, ask = match.groups()
    figure, scope, of = _subject(subject, text)
    # Relabelled photographs make a class's recall unknown, which is no fault of the model: a person decides.
    asks = bool(ask) or figure == RELABELLED
    rule = Rule(text, figure, scope, of, cast("Kind", kind), float(limit), bool(golden), asks)
    _check(rule)
    return rule


def suggest_nearest(word: str, choices: Iterable[str]) -> str:
    """Return which known word somebody may have meant, as the end of a sentence.

    Args:
        word: What was written.
        choices: The known words.

    Returns:
        The nearest word, or else the first of all words.
    """
    names = sorted(choices)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"the nearest is {near[0]}"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"there are {', '.join(names[:_NAMED])}{more}" if names else "there is none"


def _subject(subject: str, text: str) -> tuple[str, Scope, str]:
    figure, _, of = subject.partition(" of ")
    if not of and figure in _WHOLE:
        return figure, _WHOLE[figure], ""
    if of and figure in _PARTS:
        return figure, _scope(figure, of), of
    if figure in _PARTS:
        raise ValueError(f"the rule {text!r} does not say of what: write {figure} of {ANY[_PARTS[figure]]}")
    figures = [*_WHOLE, *_PARTS]
    raise ValueError(f"the rule {text!r} names {figure!r}, which is no figure: {suggest_nearest(figure, figures)}")


def _scope(figure: str, of: str) -> Scope:
    return "slice" if figure == "recall" and (of == ANY["slice"] or "=" in of) else _PARTS[figure]


def _check(rule: Rule) -> None:
    """Check that the rule points the right way and can be met.

    Raises:
        ValueError: It does not, or cannot.
    """
    more = FIGURES.get(rule.figure, rule.figure in {"recall", "precision", "images"})
    right = "at least" if more else "at most"
    comparable = rule.figure in FIGURES or rule.figure in {"recall", "precision"}
    if rule.kind != right and not (rule.compares and comparable):
        or_else = " or not worse by" if comparable else ""
        raise ValueError(f"the rule {rule.text!r} points the wrong way: {rule.figure} can be held {right}{or_else}")
    if rule.golden and not comparable and rule.figure != "gap":
        raise ValueError(f"the rule {rule.text!r} asks for {rule.figure} on golden: it belongs to the data alone")
    if rule.limit > 1 and rule.figure not in _UNBOUNDED:
        raise ValueError(f"the rule {rule.text!r} has a limit above 1: {rule.figure} is a share between 0 and 1")
    if rule.figure in _COUNTS and not rule.limit.is_integer():
        raise ValueError(f"the rule {rule.text!r} has no whole number as its limit")


def _agree(rule: Rule, other: Rule) -> None:
    """Check that of two rules neither makes the other one pointless.

    Raises:
        ValueError: One of them can never decide anything, so nobody can have meant both.
    """
    if (rule.figure, rule.golden, rule.kind) != (other.figure, other.golden, other.kind):
        return
    wide, narrow = (other, rule) if other.any else (rule, other)
    if rule.of != other.of and not (wide.any and (wide.scope == narrow.scope)):
        return
    same = rule.of == other.of
    if same and (rule.ask == other.ask or rule.limit == other.limit):
        raise ValueError(f"the rules {rule.text!r} and {other.text!r} contradict each other: keep one of them")
    hard, soft = (other, rule) if rule.ask else (rule, other)
    if same and not _stricter(soft, hard):
        raise ValueError(f"the rule {soft.text!r} can never ask, since {hard.text!r} refuses first: make it stricter")
    if not same and narrow.ask >= wide.ask and not _stricter(narrow, wide):
        raise ValueError(f"the rule {narrow.text!r} can never speak, since {wide.text!r} is at least as strict")


def _stricter(rule: Rule, other: Rule) -> bool:
    return rule.limit > other.limit if rule.kind == "at least" else rule.limit < other.limit
