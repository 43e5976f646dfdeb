"""The evaluation report and the model card: what they must say, and what they must never become."""

import base64
import html
import io
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.fine_tuning_trial import Trial
from tasks.domain.evaluation.label_changes import find_relabelling
from tasks.domain.evaluation.label_evidence import LabelPrediction, collect_label_evidence
from tasks.domain.evaluation.learning_curves import LearningCurves
from tasks.reports.pages.confusion_matrix import CORNER, MATRIX, build_confusion_matrix
from tasks.reports.pages.evaluation_page import (
    classify_rule,
    draw_figures,
    list_pictured_images,
    render_evaluation_report,
)
from tasks.reports.pages.hub_card import render_card_markdown
from tasks.reports.pages.model_card import build_model_card, render_card_html
from tasks.reports.pages.plot_geometry import Scale, choose_ticks, place_dot, scale_around_zero
from tests.tasks.domain.measurements import CLASSES
from tests.tasks.reports.reports import GROWN, RULES, report

HOSTILE = ('<script>alert("x")</script>', "a|b", "*bold*")


def small() -> str:
    """Make a thumbnail."""
    sink = io.BytesIO()
    Image.new("RGB", (96, 64), "tan").save(sink, "JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(sink.getvalue()).decode()}"


def test_the_verdict_comes_first_and_every_rule_speaks() -> None:
    """Before all else stand the outcome and each broken rule's sentence; then every rule with its own."""
    evaluated = report(CLASSES, 200)
    page = html.unescape(render_evaluation_report(evaluated, {}))
    verdict = evaluated.challenger.verdict
    assert verdict.outcome == "rejected"
    first = page.index("The rules</h2>")
    for rule in verdict.rules:
        assert rule.said in page[first:]
        assert rule.rule in page[first:]
        assert (rule.said in page[:first]) == (rule.outcome == "failed")
    assert (
        page.index(": rejected by the gate</h1>")
        < first
        < page.index("Compared with the champion, test split</h2>")
        < page.index("The most confident mistakes</h2>")
    )


def test_a_rule_with_too_few_images_is_inconclusive_and_not_passed() -> None:
    """Each rule has one word: passed, failed, ask, or inconclusive where it had too few images."""
    few = (*RULES, "recall of pug with coat=white at least 0.5")
    states = {rule.rule: classify_rule(rule).state for rule in report(CLASSES, 30, rules=few).challenger.verdict.rules}
    assert [states[rule] for rule in few] == ["failed", "passed", "ask", "passed", "inconclusive"]
    assert "inconclusive" in render_evaluation_report(report(CLASSES, 30, rules=few), {})
    spoken = report(CLASSES, 30, rules=few).challenger.verdict.rules[-1]
    assert classify_rule(replace(spoken, silent=False)).state == "passed"


def test_a_class_of_few_test_images_is_unknown_everywhere() -> None:
    """No share of its three test images is told as if it were known, neither on the page nor in card or picture."""
    evaluated = report(CLASSES, 15)
    page = render_evaluation_report(evaluated, {})
    classes = page[page.index("Classes</h2>") : page.index("Slices</h2>")]
    assert "Unknown: too few test images" in classes
    assert classes.count(">3 test images<") == len(CLASSES)
    assert "% of 3" not in classes
    text = render_card_markdown("Model card", build_model_card(evaluated, "#"))
    assert text.count("| 3 | unknown |") == len(CLASSES)
    assert r"Classes that are unknown, with their test images: beagle \(3\), " in text
    assert b"Unknown: too few test images" in draw_figures(evaluated)["figures/classes.svg"]


def test_of_many_classes_the_matrix_shows_the_worst_corner() -> None:
    """Up to forty classes have the whole matrix; of more it holds who is confused most, and each row adds up."""
    matrix = build_confusion_matrix(
        report([f"breed {number:02}" for number in range(MATRIX)], 400).challenger.evaluation.test.figures
    )
    assert (len(matrix.rows), matrix.hidden, matrix.columns) == (MATRIX, 0, matrix.labels)
    evaluated = report([f"breed {number:03}" for number in range(120)], 1200)
    measured = evaluated.challenger.evaluation.test.figures
    corner = build_confusion_matrix(measured)
    assert (len(corner.rows), corner.hidden, corner.columns[-1]) == (CORNER, 120 - CORNER, "any other")
    assert {measured.confused[0].truth, measured.confused[0].guess} <= {*corner.labels}
    images = {entry.label: entry.images for entry in measured.classes}
    for truth, cells in (*matrix.rows, *corner.rows):
        assert sum(cell.images for cell in cells) == images.get(truth, 10)
    assert "of 120; the last column counts all other answers" in render_evaluation_report(evaluated, {})


def test_a_trial_of_fine_tuning_stands_in_report_and_card() -> None:
    """Its sentence is in both where there was a trial, and neither speaks of one where there was none."""
    plain = report(CLASSES, 90)
    trial = Trial("cannot tell", "Fine-tuning was not tried: <too few> images.", {}, "2026-11-29")
    trained = replace(plain.challenger.model, trial=trial)
    tried = replace(plain, challenger=replace(plain.challenger, model=trained))
    for evaluated, words in ((tried, True), (plain, False)):
        for text in (
            render_evaluation_report(evaluated, {}),
            render_card_html("Card", build_model_card(evaluated, "data")),
        ):
            assert ("Fine-tuning was not tried: &lt;too few&gt; images." in text) == words
            assert ("Would fine-tuning help?" in text) == words


def test_mistakes_are_shown_with_their_pictures() -> None:
    """Those that are new and those that are fixed stand on the page, and one that the data card doubts says so."""
    evaluated = report(CLASSES, 200)
    page = render_evaluation_report(evaluated, dict.fromkeys(list_pictured_images(evaluated), small()))
    assert "New mistakes: 20" in page
    assert "Fixed: 20" in page
    assert page.count("the data card doubts its label") == 2  # among the surest, and among the new ones
    assert "the features say another class: 1 of 40 in beagle." in page
    assert "no picture in the store" not in page
    assert "no picture in the store" in render_evaluation_report(evaluated, {})


def test_without_a_champion_nothing_is_compared() -> None:
    """The first model's page says that there is no champion, and draws no comparison."""
    page = render_evaluation_report(report(CLASSES, 200, first=True), {})
    assert "There is no champion yet" in page
    assert "Compared with the champion" not in page
    assert "Since the champion" not in page


def test_names_of_classes_are_text() -> None:
    """What people call their folders never becomes code of a page, nor a mark or a column of Markdown."""
    evaluated = report(HOSTILE, 60)
    sections = build_model_card(evaluated, "card.html")
    for page in (render_evaluation_report(evaluated, {}), render_card_html("title", sections)):
        assert "<script" not in page
        assert "&lt;script&gt;" in page
    text = render_card_markdown("title", sections)
    assert r"\<script\>" in text
    assert "<script>" not in text.replace(r"\<", "")
    row = next(line for line in text.splitlines() if line.startswith(r"| a\|b"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 6
    assert r"\*bold\*" in text


def test_the_card_tells_what_is_known_and_what_is_not() -> None:
    """The model card names use, decision, data, figures with intervals, gaps and wishes, and leads to the data card."""
    evaluated = report(CLASSES, 30)
    text = render_card_markdown("Model card", build_model_card(evaluated, "../dataset/card.html"))
    titles = re.findall("^## (.+)$", text, re.MULTILINE)
    assert titles == [
        "Intended use",
        "Out of scope",
        "The gate's decision",
        "Data",
        "Figures",
        "Classes",
        "Slices",
        "Compared with the champion",
        "Known gaps",
        "What to collect next",
    ]
    assert "| accuracy | 0.900 | 0.744 to 0.965 |" in text
    assert "A person may have decided otherwise since" in text
    assert "The data card warns: look." in text
    assert "The data card doubts 1 label: the features say another class: 1 of 40 in " in text
    assert "Slices unknown for lack of test images: " in text
    assert "[The data card](../dataset/card.html)" in text


def test_what_to_collect_is_told_alike_everywhere() -> None:
    """Page and card rank the classes by what 50 more images bring, and name those of which nobody can tell."""
    evaluated = replace(report(CLASSES, 200), curves=GROWN)
    page = render_evaluation_report(evaluated, {}).partition("What to collect next")[2]
    assert page.index("+6.0 (3.0 to 12.0), 60 now") < page.index("+2.0 (1.0 to 4.0), 60 now")
    assert "For 1 other class the effect of more images cannot be estimated" in page
    assert "Learning curve: 120 training images now, 220 with 50 more of each class" in page
    assert "The effect of more images cannot be estimated" in render_evaluation_report(
        replace(evaluated, curves=LearningCurves(None, GROWN.classes[2:])), {}
    )
    text = render_card_markdown("Model card", build_model_card(evaluated, "#")).partition("## What to collect next")[2]
    assert text.index("- boxer: 50 more images would likely add 6.0 points") < text.index("- pug: 50 more images")


@pytest.mark.parametrize("first", [True, False])
def test_figures_are_pictures_of_the_same_names(first: bool) -> None:
    """Each run has the same files, champion or not; each is SVG that fetches nothing, whatever classes are called."""
    evaluated = replace(report(HOSTILE, 60, first=first), curves=LearningCurves() if first else GROWN)
    figures = draw_figures(evaluated)
    names = ("comparison", "classes", "slices", "confusion", "calibration", "learning-curve")
    assert list(figures) == [f"figures/{name}.svg" for name in names]
    for text in figures.values():
        root = ET.fromstring(text)  # noqa: S314 - our own text
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not re.search(rb"<script|href=|url\(|@import", text)
    assert (b"Too few images to estimate the effect of more" in figures["figures/learning-curve.svg"]) == first
    assert (b"Nothing to show" in figures["figures/comparison.svg"]) == first


@pytest.mark.parametrize("most", [0.0, 0.004, 0.03, 0.5, 1.0])
def test_a_scale_around_nought_has_nought_in_its_middle(most: float) -> None:
    """Whatever it holds, a few round ticks lie on both sides, and nothing that it was made for is cut."""
    scale = scale_around_zero([-most, most / 2])
    ticks = choose_ticks(scale)
    assert scale.at(0) == 50
    assert 3 <= len(ticks) <= 11
    assert [tick.words for tick in ticks if tick.at == 50] == ["0"]
    assert not place_dot(scale, 0, -most, most).cut
    assert place_dot(Scale(-1, 1), 0, -2, 0.5) == place_dot(Scale(-1, 1), 0, -9, 0.5)


def test_photographs_under_another_label_are_shown() -> None:
    """How many moved stands above the figures, and each is a picture with both labels and what witnesses say of it."""
    former = {f"{number}": "pug" if number < 20 else "boxer" for number in range(40)}
    today = former | dict.fromkeys("012", "boxer")
    rows = [Row(image, label, Split.TEST, (), f"{image}.jpg") for image, label in today.items()]
    moved = find_relabelling(former, rows)
    labels = collect_label_evidence(moved, {"0": LabelPrediction("beagle", 0.3, 0.2)}, {})
    evaluated = report(CLASSES, 200)
    evaluation = replace(evaluated.challenger.evaluation, labels=labels)
    evaluated = replace(evaluated, challenger=replace(evaluated.challenger, evaluation=evaluation))
    assert {"0", "1", "2"} <= set(list_pictured_images(evaluated))
    written = render_evaluation_report(evaluated, {}).partition("<main>")[2]
    page = re.sub(r"<[^>]+>", "", html.unescape(written))
    assert page.index("3 photographs carry another label than before") < page.index("The rules")
    assert "pug, now boxer0.jpghead: beagle; old label 30.0%, new 20.0%" in page
