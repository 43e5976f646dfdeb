"""What tables of the command line say in words."""

from flows.cli.tables import _figures
from tasks.domain.training.calibration import NEVER


def test_the_history_of_a_model_has_no_bare_threshold() -> None:
    """A threshold that no probability reaches is told in words, and an older ledger's figures as they were kept."""
    assert _figures({"accuracy": 0.9, "threshold": NEVER, "sure_promised": 0.95})[-1].startswith("  never sure: ")
    assert _figures({"accuracy": 0.9, "threshold": 0.5}) == ["  accuracy 0.900", "  threshold 0.500"]
