"""The rules of the gate: each is one line that a person reads, and this is its grammar.

SUBJECT at least NUMBER | SUBJECT at most NUMBER | SUBJECT not worse by NUMBER | served as evaluated

and at its end, if a person is to decide: else ask
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, cast

Kind = Literal["at least", "at most", "not worse by"]
Scope = Literal["all", "class", "slice", "attribute", "data", "served"]

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
#: The rule that has no number: the packaged model, loaded as a stranger would, answers as it was evaluated.
SERVED = "served as evaluated"
#: The share of a class's photographs that carry another label than under the champion; its rule always asks.
RELABELLED = "relabelled"
#: The share of a class's labels that the features speak against.
SUSPECTS = "suspects"
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
# So many words are named where none is near.
_NAMED = 12
_COUNTS = ("images", "classes lost")
_DATA = ("classes lost", "label conflicts", "drift")
_UNBOUNDED = ("log_loss", *_COUNTS)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: which figure, of which class, slice or attribute, and what it is held against.

    ``of`` is empty for a whole set; ``golden`` means the golden set and not the test split; ``ask`` that a person must
    decide where the rule is broken.
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
        """Tell whether the rule speaks of every class, slice or attribute."""
        return self.of == ANY.get(self.scope)

    @property
    def compares(self) -> bool:
        """Tell whether the rule holds the challenger against the champion."""
        return self.kind == "not worse by"

    def fails_at(self, value: float) -> bool:
        """Tell whether a value is on the wrong side of the limit; what differs by a billionth is rounding."""
        return value < self.limit - 1e-9 if self.kind == "at least" else value > self.limit + 1e-9


def parse_rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Read rules; raise ValueError, in one sentence, for a line that is none and for lines that contradict."""
    rules = tuple(parse_rule(text) for text in texts)
    for rule, other in combinations(rules, 2):
        _agree(rule, other)
    return rules


def parse_rule(text: str) -> Rule:
    """Read one rule; raise ValueError with a sentence that names the nearest word where one is unknown."""
    words = " ".join(text.split())
    if served := _SERVED.fullmatch(words):
        # Of the answers to the sample none may be another one.
        return Rule(text, SERVED, "served", "", "at most", 0.0, golden=False, ask=bool(served[1]))
    match = _LINE.fullmatch(words)
    if not match:
        raise ValueError(
            f"the rule {text!r} cannot be read: write a figure, then at least, at most or not worse by, then a number, "
            "such as accuracy at least 0.5"
        )
    subject, golden, kind, limit, ask = match.groups()
    figure, scope, of = _subject(subject, text)
    # Labels that moved make a class unknown, which is no fault of the model: a person is asked.
    asks = bool(ask) or figure == RELABELLED
    rule = Rule(text, figure, scope, of, cast("Kind", kind), float(limit), bool(golden), asks)
    _check(rule)
    return rule


def suggest_nearest(word: str, choices: Iterable[str]) -> str:
    """Say which known word somebody may have meant, as the end of a sentence."""
    names = sorted(choices)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"the nearest is {near[0]}"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"there are {', '.join(names[:_NAMED])}{more}" if names else "there is none"


def _subject(subject: str, text: str) -> tuple[str, Scope, str]:
    figure, _, of = subject.partition(" of ")
    if not of and (figure in FIGURES or figure in _DATA):
        return figure, "data" if figure in _DATA else "all", ""
    if of and figure in _PARTS:
        return figure, _scope(figure, of), of
    if figure in _PARTS:
        raise ValueError(f"the rule {text!r} does not say of what: write {figure} of {ANY[_PARTS[figure]]}")
    figures = [*FIGURES, *_DATA, *_PARTS]
    raise ValueError(f"the rule {text!r} names {figure!r}, which is no figure: {suggest_nearest(figure, figures)}")


def _scope(figure: str, of: str) -> Scope:
    return "slice" if figure == "recall" and (of == ANY["slice"] or "=" in of) else _PARTS[figure]


def _check(rule: Rule) -> None:
    """See that the rule points the right way and can be met."""
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
    """Raise ValueError where of two rules one can never speak, so that a person cannot have meant both."""
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
