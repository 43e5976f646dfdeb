"""What a person reads while a run works, in a process of its own as every terminal starts one."""

import os
import pty
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tasks.domain.synthetic.drawn_dogs import draw
from tests.servers import PrefectServer

PEDIGREE = Path(sys.executable).with_name("pedigree")
SETTINGS = """
source: {{url: "{place}/photos"}}
store: {{url: "{place}/store"}}
dataset: {{min_images_per_class: 5}}
backbone: {{weights: demo, cut: mixed2, size: 96}}
gate: {{rules: [accuracy at least 0.1], needs: no-harm}}
tracking: {{model: run-log}}
"""


@pytest.fixture
def settings(tmp_path: Path, prefect_server: PrefectServer) -> Path:
    """Write the settings of a small run on drawn dogs, for a Prefect server that answers already."""
    assert prefect_server.api_url
    path = tmp_path / "settings.yaml"
    path.write_text(SETTINGS.format(place=tmp_path))
    return path


def draw_dogs(folder: Path, seeds: range) -> None:
    """Draw dogs of two breeds."""
    for breed in ("poodle", "beagle"):
        (folder / "photos" / breed).mkdir(parents=True, exist_ok=True)
        for seed in seeds:
            draw(breed, "white", seed).save(folder / "photos" / breed / f"{seed}.jpg")


def retrain(settings: Path, stderr: int) -> str:
    """Run ``pedigree retrain`` and return what it answers at its end."""
    command = [str(PEDIGREE), "retrain", "-c", str(settings)]
    environment = os.environ | {"TERM": "xterm"}
    done = subprocess.run(  # noqa: S603 - our own command line
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, check=True, cwd=settings.parent, env=environment
    )
    return done.stdout


def read_all(terminal: int) -> str:
    """Read what is written to a terminal until nobody holds its other end."""
    parts = []
    with suppress(OSError):  # How Linux says that the other end is closed.
        while part := os.read(terminal, 65536):
            parts.append(part)
    return b"".join(parts).decode()


def words_of(lines: str) -> list[str]:
    """Return the first word of every line of the run log, which names its step."""
    return re.findall(r"^  ([a-z_]+) ", lines, flags=re.MULTILINE)


def test_the_run_log_shows_in_every_process(settings: Path) -> None:
    """With and without a terminal each step says what came of it while the run works, and says it once."""
    draw_dogs(settings.parent, range(12))
    log = settings.parent / "log"
    with log.open("w") as file:
        answer = retrain(settings, file.fileno())
    lines = log.read_text()
    steps = ["preflight", "snapshot", "ingest", "label", "assemble", "embed", "write_data_card", "train", "evaluate"]
    steps.append("write_report")
    assert [word for word in words_of(lines) if word in steps] == steps
    assert "promote          decision 1, model version 1 promoted" in lines
    reason = answer.splitlines()[0].partition(": ")[2]
    assert reason
    assert lines.count(reason) == 1
    assert "━" not in lines

    draw_dogs(settings.parent, range(12, 15))
    terminal, other_end = pty.openpty()
    with ThreadPoolExecutor() as pool:
        shown = pool.submit(read_all, terminal)
        retrain(settings, other_end)
        os.close(other_end)
        screen = shown.result()
    os.close(terminal)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen)
    assert "ingest           ━" in plain
    assert "embed            ━" in plain
    assert "6 objects fetched: 6 new images, 0 rejected" in screen
    assert "promote          decision 2" in screen


def test_a_comparison_of_cuts_shows_no_lines_of_prefect(settings: Path) -> None:
    """The terminal has each step's line once, also where the command needs the flow's stage itself."""
    draw_dogs(settings.parent, range(1))
    command = [str(PEDIGREE), "backbone", "compare", "-c", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=settings.parent)  # noqa: S603
    assert done.returncode == 2
    assert words_of(done.stderr) == ["preflight"]
    assert "Flow run" not in done.stderr
