"""What people are told of a day's live pictures."""

import json

import numpy as np
import pytest

from tasks.domain.serving.drift_report import PictureColumns, describe_drift, describe_need, summarize_pictures


def _columns(first: float, level: float, unusual: float = np.nan) -> PictureColumns:
    """Make a hundred pictures, of which so many are of the first class."""
    many = round(100 * first)
    rows = np.array([[0.9, 0.1]] * many + [[0.1, 0.9]] * (100 - many))
    levels = np.full(100, level)
    return PictureColumns(rows, np.arange(100) < 80, np.full(100, unusual), levels, levels)


def test_figures_are_means_over_the_pictures() -> None:
    """Shares, doubt, levels and the estimated accuracy are means; what was not measured is not known."""
    figures = summarize_pictures(("pug", "boxer"), _columns(0.25, 0.4))
    assert figures.shares == {"pug": pytest.approx(0.3), "boxer": pytest.approx(0.7)}
    assert (figures.pictures, figures.unusual) == (100, None)
    assert [figures.unsure, figures.brightness, figures.accuracy] == pytest.approx([0.2, 0.4, 0.9])
    assert json.loads(json.dumps(figures.to_dict()))["pictures"] == 100


def test_a_changed_mixture_names_the_classes() -> None:
    """Whoever reads it learns which class comes how often, and how often it did."""
    reference, live = (summarize_pictures(("pug", "boxer"), _columns(share, 0.5)) for share in (0.25, 0.75))
    sentences = describe_drift(("mixture",), reference, live)
    assert sentences[:2] == (
        "people bring other classes than the test images show, as 100 live pictures tell",
        "boxer is 30% of them, 70% of the test images",
    )
    assert "cannot see" in sentences[-1]


def test_a_changed_look_says_how_it_looks() -> None:
    """Darker pictures are called darker, and pictures unlike all training images are counted."""
    reference = summarize_pictures(("pug", "boxer"), _columns(0.5, 0.6, 0.5))
    live = summarize_pictures(("pug", "boxer"), _columns(0.5, 0.45, 0.99))
    sentences = describe_drift(("look",), reference, live)
    assert "they are 25% darker" in sentences
    assert "100% of them lie farther from all training images than 95% of the test images do" in sentences


def test_what_is_to_be_labelled_answers_what_changed() -> None:
    """Classes that come more often are named, a changed look is described, and a quiet day needs nothing."""
    reference, live = (summarize_pictures(("pug", "boxer"), _columns(share, share + 0.4)) for share in (0.25, 0.75))
    assert describe_need(("mixture",), reference, live) == "photographs of pug"
    assert "now (77% brighter, 77% brighter in the middle), and" in describe_need(("look",), reference, live)
    assert describe_need(("mixture",), reference, reference) == "photographs of all classes as people bring them now"
    assert describe_need((), reference, live) == ""


def test_a_quiet_day_is_called_quiet() -> None:
    """Without drift nothing is said of classes or light."""
    figures = summarize_pictures(("pug", "boxer"), _columns(0.5, 0.6))
    *sentences, accuracy = describe_drift((), figures, figures)
    assert sentences == [
        "100 live pictures are like the test images",
        "20% of the answers are I don't know, 20% among the test images",
    ]
    assert "promise that 90% of the answers are right, 90% of those about test images" in accuracy
