"""What tables of the command line say in words."""

from pathlib import Path

from flows.cli.tables import _figures, render_demo, render_models, render_stack
from flows.cli.terminal import choose_most, render
from infra.stack import Part, Status
from tasks.catalog.models import Model, Models
from tasks.domain.training.calibration import NEVER


def test_the_history_of_a_model_has_no_bare_threshold() -> None:
    """A threshold that no probability reaches is told in words, and an older ledger's figures as they were kept."""
    assert _figures({"accuracy": 0.9, "threshold": NEVER, "sure_promised": 0.95})[-1].startswith("  never sure: ")
    assert _figures({"accuracy": 0.9, "threshold": 0.5}) == ["  accuracy 0.900", "  threshold 0.500"]


def test_the_demo_ends_with_the_way_to_answers() -> None:
    """It names the service's address where that answers by the demo's champion, and else the command that starts it."""
    command = f"pedigree serve --model drawn-dogs --store {Path('/there/demo/store')}"
    assert command in " ".join(render(render_demo([], Path("/there"), "")).split())
    answering = render(render_demo([], Path("/there"), "http://127.0.0.1:8080"))
    assert "http://127.0.0.1:8080" in answering
    assert "pedigree serve" not in answering


def test_the_stack_says_what_a_part_waits_for() -> None:
    """A service without a champion runs, and its reason stands below the table."""
    waiting = Part("service", "running", "http://127.0.0.1:8080", "the ledger has no champion yet")
    assert "The service waits: the ledger has no champion yet." in render(render_stack(Status((waiting,))))
    assert Status((waiting,)).to_dict()["service"]["waits"] == waiting.waits


def test_a_long_list_shows_the_newest_and_whatever_serves() -> None:
    """Of thirty models the newest twenty are listed, and an older one that serves; --all lists every one."""
    models = [
        Model(
            str(number), "2026-11-01T02:00:00+00:00", "promoted", "", ("champion",) * (number == 3), "data", {}, "head"
        )
        for number in range(1, 31)
    ]
    listing = Models("store", tuple(models))
    lines = render(render_models(listing, 20)).splitlines()
    assert lines[0] == "9 older ones are not shown: --all shows them."
    assert [line.split()[0] for line in lines[2:]] == ["3", *map(str, range(11, 31))]
    assert len(render(render_models(listing, choose_most(everything=True))).splitlines()) == 31
