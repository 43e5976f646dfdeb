"""Plots of the evaluation report in a browser: what pointer, keyboard and small screens get of them."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.reports.pages.confusion_matrix import MATRIX
from tasks.reports.pages.evaluation_page import render_evaluation_report
from tasks.reports.pages.lineage import PAGES, draw_lineage
from tests.browser import find_axe_violations, needs_chromium, open_page
from tests.tasks.reports.reports import GROWN, LINEAGE, report

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


@needs_chromium
def test_plots_fit_a_screen_and_answer_to_pointer_and_keyboard(tmp_path: Path) -> None:
    """One sees a matrix at once, also on a phone and of many classes; each mark says what it is; axe finds nothing."""
    with open_page("about:blank") as page:
        for classes, width in product((12, 30, 120), (1280, 390)):
            height = 800 if width == 1280 else 844
            names = [f"a_breed_with_a_long_name_{number}" for number in range(classes)]
            evaluated = replace(report(names, 10 * classes), curves=GROWN)
            text = render_evaluation_report(evaluated, {}).encode()
            (tmp_path / "page.html").write_bytes(draw_lineage(text, PAGES[0], LINEAGE))
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme="dark" if classes == 30 else "light")
            page.goto(f"file://{tmp_path}/page.html")
            box = page.locator(".matrix").bounding_box()
            assert box
            assert box["width"] <= width
            assert box["height"] <= height
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate("document.querySelector('.matrix tr:last-child').getBoundingClientRect().height") >= 14
            assert page.evaluate(_SMALL_LETTERS) == []
            assert page.get_by_role("navigation", name="Lineage of this model").get_by_role("link").count() == 6
            # The costly checks look at either colours, and at either width, once.
            if (classes, width) in {(12, 1280), (30, 390)}:
                assert find_axe_violations(page) == []
            for plot in page.get_by_role("radiogroup").all() if (classes, width) == (30, 390) else ():
                check_marks(page, plot)


# Letters of a plot that are visible and smaller than 12 pixels.
_SMALL_LETTERS = """[...document.querySelectorAll('[role=radiogroup] :is(text, span, label, th, td, p)')].filter(
  letters => letters.textContent.trim() && letters.checkVisibility() && letters.getBoundingClientRect().width > 1
    && parseFloat(getComputedStyle(letters).fontSize) > 0 && parseFloat(getComputedStyle(letters).fontSize) < 12
).map(letters => letters.outerHTML)"""
_VISIBLE = """plot => [...plot.querySelectorAll('.readout')].filter(
  readout => getComputedStyle(readout).opacity === '1').map(readout => readout.textContent)"""


def check_marks(page: "Page", plot: "Locator") -> None:
    """Check that a plot is one tab stop, and shows the readout of the mark that has the focus or the pointer."""
    marks = plot.get_by_role("radio")
    words = plot.locator(".readout").all_text_contents()
    assert len(words) == marks.count()
    assert len(words) <= 2 * MATRIX
    page.mouse.move(0, 0)
    marks.first.focus()
    assert plot.evaluate(_VISIBLE) == words[:1]
    page.keyboard.press("ArrowDown")
    assert plot.evaluate(_VISIBLE) == [words[1 % len(words)]]
    page.keyboard.press("Tab")
    assert plot.evaluate(_VISIBLE) == []
    label = plot.locator("label").last
    label.scroll_into_view_if_needed()
    label.hover()
    assert plot.evaluate(_VISIBLE) == words[-1:]
    assert label.locator(".readout").evaluate("one => one.getBoundingClientRect().right <= innerWidth")
