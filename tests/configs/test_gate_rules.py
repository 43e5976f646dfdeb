"""The grammar of the gate's rules."""

import pytest

from configs.errors import SettingsError
from configs.gate_rules import DEFAULT_RULES, parse_rule, parse_rules
from configs.load import parse_settings

PLACES = {"source": {"url": "photos"}, "store": {"url": "store"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy at least 0.5", ("accuracy", "all", "", "at least", 0.5, False, False)),
        ("log_loss not worse by .1", ("log_loss", "all", "", "not worse by", 0.1, False, False)),
        ("recall of any class not worse by 0.05", ("recall", "class", "any class", "not worse by", 0.05, False, False)),
        (
            "recall of german shepherd at least 0.6",
            ("recall", "class", "german shepherd", "at least", 0.6, False, False),
        ),
        ("recall of coat=white at least 0.4", ("recall", "slice", "coat=white", "at least", 0.4, False, False)),
        (
            "recall of poodle with coat=white on golden at least 0.4 else ask",
            ("recall", "slice", "poodle with coat=white", "at least", 0.4, True, True),
        ),
        ("gap of coat at most 0.3", ("gap", "attribute", "coat", "at most", 0.3, False, False)),
        ("images of any class at least 10", ("images", "class", "any class", "at least", 10, False, False)),
        ("suspects of any class at most 0.2", ("suspects", "class", "any class", "at most", 0.2, False, False)),
        ("classes  lost at most 0", ("classes lost", "data", "", "at most", 0, False, False)),
        ("served as  evaluated else ask", ("served as evaluated", "served", "", "at most", 0, False, True)),
    ],
)
def test_a_line_is_read_as_a_person_reads_it(text: str, expected: tuple[object, ...]) -> None:
    """Figure, what it is of, direction, limit, the golden set and the question are found in a line."""
    rule = parse_rule(text)
    assert (rule.figure, rule.scope, rule.of, rule.kind, rule.limit, rule.golden, rule.ask) == expected


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (["acuracy at least 0.5"], "names 'acuracy', which is no figure: the nearest is accuracy"),
        (["accuracy above 0.5"], "cannot be read: write a figure, then at least, at most or not worse by"),
        (["accuracy at least high"], "cannot be read"),
        (["accuracy at most 0.9"], "points the wrong way: accuracy can be held at least or not worse by"),
        (["gap of coat at least 0.2"], "points the wrong way: gap can be held at most"),
        (["drift not worse by 0.2"], "points the wrong way: drift can be held at most"),
        (["suspects of pug at least 0.2"], "points the wrong way: suspects can be held at most"),
        (["suspects of pug on golden at most 0.2"], "asks for suspects on golden: it belongs to the data alone"),
        (["accuracy at least 50"], "has a limit above 1: accuracy is a share between 0 and 1"),
        (["images of pug at least 2.5"], "has no whole number as its limit"),
        (["recall at least 0.5"], "does not say of what: write recall of any class"),
        (["drift on golden at most 0.5"], "asks for drift on golden: it belongs to the data alone"),
        (["served as evaluated at most 0"], "names 'served as evaluated', which is no figure"),
        (["served as evaluated", "served as evaluated else ask"], "contradict each other: keep one of them"),
        (["accuracy at least 0.5", "accuracy at least 0.6"], "contradict each other: keep one of them"),
        (["accuracy at least 0.6", "accuracy at least 0.5 else ask"], "can never ask, since 'accuracy at least 0.6'"),
        (
            ["recall of any class at least 0.6", "recall of pug at least 0.5"],
            "'recall of pug at least 0.5' can never speak",
        ),
        (
            ["recall of pug at least 0.5", "recall of any class at least 0.6"],
            "'recall of pug at least 0.5' can never speak",
        ),
    ],
)
def test_what_is_no_rule_is_a_sentence(rules: list[str], message: str) -> None:
    """A line that is no rule, and lines that contradict, are refused with the settings, naming the line."""
    with pytest.raises(SettingsError) as caught:
        parse_settings({**PLACES, "gate": {"rules": rules}}, "settings.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "rules",
    [
        DEFAULT_RULES,
        ("accuracy at least 0.5", "accuracy at least 0.6 else ask", "accuracy on golden at least 0.9"),
        ("recall of any class at least 0.5", "recall of pug at least 0.6", "recall of any slice at least 0.4"),
        ("accuracy at least 0.5", "accuracy not worse by 0.01"),
    ],
)
def test_rules_that_can_all_speak_go_together(rules: tuple[str, ...]) -> None:
    """A question above a refusal, a stricter rule for one class, and rules of two kinds contradict nothing."""
    assert [rule.text for rule in parse_rules(rules)] == list(rules)


def test_a_golden_rule_needs_a_golden_set() -> None:
    """A rule on the golden set without one is refused with the settings."""
    gate = {"rules": ["accuracy on golden at least 0.9"]}
    with pytest.raises(SettingsError, match=r"set evaluation\.golden"):
        parse_settings({**PLACES, "gate": gate}, "settings.yaml")
    assert (
        parse_settings({**PLACES, "gate": gate, "evaluation": {"golden": "a" * 64}}, "settings.yaml")
        .gate.parsed[0]
        .golden
    )
