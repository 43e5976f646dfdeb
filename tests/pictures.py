"""The pictures of the documentation: ``python -m tests.pictures [HOME]`` plays the demo and takes each of them anew.

A HOME in which the demo was played is taken as it is. ``--look FOLDER`` writes every page there instead, as wide as a
desk's and a telephone's screen, in light and in dark colours, for a person to look at.
"""

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.browser import log_in, open_page
from tests.contact_sheet import draw_contact_sheet
from tests.servers import ROOT
from tests.tasks.service.web.page.picture import draw_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = ROOT / "docs" / "images"
Scheme = Literal["light", "dark"]
_PEDIGREE = Path(sys.executable).with_name("pedigree")
_PATIENCE = 60_000  # milliseconds that a page may take on a busy machine
_IDLE = 5_000
# No class has so many images, and nothing else speaks against the model: a person is asked.
_ASKING = (
    *("--set", "gate.needs=no-harm"),
    *("--set", "gate.rules=[accuracy at least 0.9, images of any class at least 100 else ask, classes lost at most 0]"),
)
# MLflow opens its assistant beside the first page.
_ASSISTANT = "[data-component-id='mlflow.assistant.chat_panel.close']"


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that was played, with the servers that show it.

    Attributes:
        home: Pedigree's home folder.
        runs: The outcome of each run of the demo, the first one first.
        servers: The addresses of Prefect and MLflow.
    """

    home: Path
    runs: list[dict[str, Any]]
    servers: dict[str, str]

    @property
    def store(self) -> Path:
        """The folder of the demo's store."""
        return self.home / "demo" / "store"


@dataclass(frozen=True, slots=True)
class Screen:
    """A page that a picture shows.

    Attributes:
        size: Width and height of the window, in pixels.
        show: Leads the browser to the page.
        scheme: The colours that the browser asks for.
        part: Left, upper, right and lower edge of what the picture shows of the window; None shows all.
    """

    size: tuple[int, int]
    show: Callable[["Page", Demo], None]
    scheme: Scheme = "light"
    part: tuple[int, int, int, int] | None = None


def show_card(page: "Page", demo: Demo) -> None:
    """Open the data card of the third run."""
    page.goto((demo.store / "datasets" / demo.runs[2]["dataset"] / "card.html").as_uri())


def show_evaluation(page: "Page", demo: Demo) -> None:
    """Open the evaluation report of the third run, whose model is rejected."""
    from mlflow.artifacts import download_artifacts

    report = f"runs:/{demo.runs[2]['run_id']}/evaluation/report.html"
    page.goto(Path(download_artifacts(report, tracking_uri=f"sqlite:///{demo.home}/mlflow.db")).as_uri())


def show_runs(page: "Page", demo: Demo) -> None:
    """Open Prefect's list of runs."""
    page.goto(f"{demo.servers['prefect']}/runs")
    page.get_by_text("Rejected").first.wait_for(timeout=_PATIENCE)


def show_form(page: "Page", demo: Demo) -> None:
    """Open the form that starts a retraining by hand."""
    deployment = _fetch(page, demo.servers["prefect"], "/api/deployments/name/retrain/retrain")["id"]
    page.goto(f"{demo.servers['prefect']}/deployments/deployment/{deployment}/run")
    page.get_by_text("other settings").first.wait_for(timeout=_PATIENCE)


def show_summary(page: "Page", demo: Demo) -> None:
    """Open the summary of the newest run, which waits for a person."""
    page.goto(f"{demo.servers['prefect']}/runs")
    page.locator("a[href*='/runs/flow-run/']", has_text="?").first.click(timeout=_PATIENCE)
    page.get_by_text("Artifacts", exact=True).click(timeout=_PATIENCE)
    page.locator("a[href*='/artifacts/artifact/']", has_text="summary").first.click(timeout=_PATIENCE)
    page.get_by_text("What was new").first.wait_for(timeout=_PATIENCE)


def show_mlflow_runs(page: "Page", demo: Demo) -> None:
    """Open the saved view of the experiment, among the pages for training."""
    view = "workflowType=machine_learning&viewStateShareKey=pedigree-nights"
    page.goto(f"{demo.servers['mlflow']}/#/experiments/{_experiment(page, demo)}/runs?{view}")
    page.get_by_text("rejected").first.wait_for(timeout=_PATIENCE)


def show_two_runs(page: "Page", demo: Demo) -> None:
    """Compare the second run with the third, and show which answers flipped."""
    runs = json.dumps([run["run_id"] for run in demo.runs[1:3]])
    experiments = json.dumps([_experiment(page, demo)])
    page.goto(f"{demo.servers['mlflow']}/#/compare-runs?runs={runs}&experiments={experiments}")
    page.get_by_text("Run details", exact=True).first.wait_for(timeout=_PATIENCE)
    _close_assistant(page)
    for section in ("Visualizations", "Run details", "Parameters", "Metrics"):
        page.get_by_text(section, exact=True).first.click(timeout=_PATIENCE)
    page.get_by_text("answers.md", exact=True).first.click(timeout=_PATIENCE)
    page.get_by_text("Nothing is wrong or flipped").first.wait_for(timeout=_PATIENCE)


def _close_assistant(page: "Page") -> None:
    if page.locator(_ASSISTANT).count():
        page.locator(_ASSISTANT).first.click()
        page.locator(_ASSISTANT).first.wait_for(state="hidden")


def _experiment(page: "Page", demo: Demo) -> str:
    path = "/ajax-api/2.0/mlflow/experiments/get-by-name?experiment_name=demo"
    return str(_fetch(page, demo.servers["mlflow"], path)["experiment"]["experiment_id"])


def _fetch(page: "Page", server: str, path: str) -> dict[str, Any]:
    """Ask a server as its own pages do: others are not let in."""
    page.goto(server)
    return dict(page.evaluate("async path => (await fetch(path)).json()", path))


SCREENS = {
    "card.png": Screen((1000, 1370), show_card),
    "evaluation.png": Screen((1000, 1250), show_evaluation),
    "mlflow-runs.png": Screen((1900, 720), show_mlflow_runs),
    "mlflow-two-runs.png": Screen((1600, 900), show_two_runs),
    "run-form.png": Screen((1100, 1400), show_form),
    "run-summary.png": Screen((1280, 1500), show_summary),
    "runs-list.png": Screen((1280, 1400), show_runs, part=(256, 600, 1280, 1400)),
}
#: Pictures that no browser takes, with what makes them.
OTHERS: dict[str, Callable[[Demo, Path], None]] = {
    "drawn-dogs.png": lambda _demo, file: draw_contact_sheet().quantize(256).save(file, optimize=True),
    "service-page.png": lambda demo, file: draw_page(str(demo.store), file),
}
#: Drawings that this command leaves alone, with where they come from.
DRAWINGS = {
    "growth.svg": "python -m tests.benchmarks.growth FOLDER --plot FILE",
    "line.svg": "drawn by hand; tests/test_readme.py holds it against the flow",
}


@contextmanager
def played_demo(home: Path) -> Iterator[Demo]:
    """Play the demo where it was not played yet, let a run ask a person, and start the servers that show all of it."""
    outcomes = home / "demo.json"
    if not outcomes.exists():
        outcomes.write_text(_pedigree(home, "demo"), encoding="utf-8")
    runs = list(json.loads(outcomes.read_text(encoding="utf-8")).values())
    places = [f"source.url={home / 'demo' / 'photos'}", f"store.url={home / 'demo' / 'store'}"]
    settings = ["-c", str(ROOT / "configs" / "demo.yaml"), *(word for place in places for word in ("--set", place))]
    try:
        parts = json.loads(_pedigree(home, "up", *settings))
        asked = home / "asked.json"
        if not asked.exists():
            asked.write_text(_pedigree(home, "retrain", "--force", *settings, *_ASKING), encoding="utf-8")
        servers = {name: parts[name]["address"] for name in ("prefect", "mlflow")}
        yield Demo(home, runs, servers)
    finally:
        _pedigree(home, "down")


@contextmanager
def logged_in(demo: Demo) -> Iterator["Page"]:
    """Open a browser that Prefect and MLflow let in; each link does so once."""
    with open_page("about:blank") as page:
        log_in(page, json.loads(_pedigree(demo.home, "open")))
        yield page


def take(page: "Page", screen: Screen, demo: Demo, file: Path, width: int | None = None) -> None:
    """Write a picture of a screen, in 256 colours.

    Args:
        page: The browser.
        screen: The page, and how large the window is.
        demo: The demo that it shows.
        file: The picture.
        width: To how many pixels the window is narrowed once the page is there; None leaves it as it is.
    """
    page.set_viewport_size({"width": screen.size[0], "height": screen.size[1]})
    page.emulate_media(color_scheme=screen.scheme)
    screen.show(page, demo)
    # Pages that ask their server again and again are never idle.
    with suppress(PlaywrightTimeoutError):
        page.wait_for_load_state("networkidle", timeout=_IDLE)
    _close_assistant(page)
    if width:
        page.set_viewport_size({"width": width, "height": screen.size[1]})
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    picture.convert("RGB").crop(screen.part).quantize(256).save(file, "PNG", optimize=True)


def take_all(demo: Demo, folder: Path) -> None:
    """Write every picture of the documentation.

    Args:
        demo: The demo that they show.
        folder: Where they are written.
    """
    with logged_in(demo) as page:
        for name, screen in SCREENS.items():
            take(page, screen, demo, folder / name)
    for name, make in OTHERS.items():
        make(demo, folder / name)


def look(demo: Demo, folder: Path) -> None:
    """Write every page at two widths, in light and in dark.

    Args:
        demo: The demo that they show.
        folder: Where they are written.
    """
    schemes: tuple[Scheme, ...] = ("light", "dark")
    folder.mkdir(parents=True, exist_ok=True)
    with logged_in(demo) as page:
        for (name, screen), width, scheme in product(SCREENS.items(), (1280, 390), schemes):
            file = folder / f"{Path(name).stem}-{width}-{scheme}.png"
            # In a narrow window parts of MLflow's pages lie above what has to be clicked.
            take(page, replace(screen, scheme=scheme, part=None), demo, file, width)


def _pedigree(home: Path, *words: str) -> str:
    environment = {**os.environ, "PEDIGREE_HOME": str(home)}
    command = [str(_PEDIGREE), *words, "--json"]
    done = subprocess.run(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own command line
    # A run that asks a person ends with a code of its own.
    if done.returncode and not done.stdout:
        message = f"pedigree {' '.join(words)} ended with {done.returncode}"
        raise RuntimeError(message)
    return done.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.pictures")
    parser.add_argument("home", nargs="?", type=Path)
    parser.add_argument("--to", type=Path, default=IMAGES, help="write the pictures there")
    parser.add_argument("--look", type=Path, help="write every page there, at two widths, in light and in dark")
    arguments = parser.parse_args()
    with TemporaryDirectory() as scratch, played_demo((arguments.home or Path(scratch)).absolute()) as example:
        if arguments.look:
            look(example, arguments.look)
        else:
            take_all(example, arguments.to)
