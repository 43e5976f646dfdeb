"""What sure answers are promised to be, and what was held: the same words on every page and screen."""

import html
import re
from dataclasses import replace

import pytest

from tasks.domain.training.calibration import NEVER, Promise
from tasks.reports.pages.evaluation_page import render_evaluation_report
from tasks.reports.pages.hub_card import render_card_markdown
from tasks.reports.pages.model_card import build_model_card
from tests.tasks.domain.measurements import CLASSES
from tests.tasks.reports.reports import report

HELD = "groups of near duplicates were held out"
RIGHT = "promise that 0.95 of its sure answers are right"


@pytest.mark.parametrize(
    ("promise", "words"),
    [
        (Promise(0.95, 0.9, 216), "sure from probability 0.900 on, where 0.95 of the answers are promised to be right"),
        (Promise(0.95, NEVER, 41), f"never sure: 41 {HELD}, and it takes at least 59 to {RIGHT}"),
        (Promise(0.95, NEVER, 216), f"never sure: 216 {HELD}, and too many answers about them are wrong to {RIGHT}"),
        (
            Promise(0.95, NEVER),
            f"never sure: too few images were held out, or too many answers about them wrong, to {RIGHT}",
        ),
        (Promise(1, NEVER, 216), f"never sure: no number of images is enough to {RIGHT.replace('0.95', '1')}"),
    ],
)
def test_a_promise_says_why_nothing_is_sure(promise: Promise, words: str) -> None:
    """Too few images, too many wrong answers and a promise that nothing can bear out are told apart."""
    assert str(promise) == words


def test_what_was_held_stands_beside_what_was_promised() -> None:
    """The share of right answers among the sure ones has its interval and its coverage; without any, that is said."""
    figures = {"coverage": 0.5, "precision_when_sure": 0.96}
    assert Promise(0.95, 0.9).describe_held(figures, 200) == (
        "promised 0.95, held 0.960 of 100 sure answers (95% interval 0.902 to 0.984), coverage 0.500 of 200 test images"
    )
    none = Promise(0.95, NEVER).describe_held({"coverage": 0.0}, 200)
    assert none == "promised 0.95; no answer about 200 test images was sure, coverage 0"


@pytest.mark.parametrize("promise", [Promise(0.95, 0.9, 216), Promise(0.95, NEVER, 41)])
def test_report_card_and_terminal_say_it_alike(promise: Promise) -> None:
    """Report, model card and run log have the same sentence, and the pages what was held as well."""
    run = report(CLASSES, 200)
    trained = replace(run.challenger.model, promise=promise)
    run = replace(run, challenger=replace(run.challenger, model=trained))
    held = promise.describe_held(run.challenger.evaluation.test.figures.overall, 200)
    page = re.sub(r"<[^>]+>", "", html.unescape(render_evaluation_report(run, {})))
    card = render_card_markdown("Model card", build_model_card(run, "card.html")).replace("\\", "")
    for text in (page, card):
        assert f"It is {promise}." in text
        assert f"Sure answers: {held}." in text
    assert str(promise) in str(trained)
