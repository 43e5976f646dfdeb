"""Whether anybody waits to be asked; what is answered is in the tests of the serving probe and of whole runs."""

import pytest

from configs.schema import Settings
from tasks.evaluation.smoke_test import serving_probe


@pytest.mark.parametrize("rule", ["accuracy at least 0", "served as evaluated", "served as evaluated else ask"])
@pytest.mark.parametrize("expected", [True, False])
def test_a_probe_starts_unless_the_check_is_off(rule: str, expected: bool) -> None:
    """Whatever rules are written, the packaged model is asked, unless the check's own setting switches that off."""
    gate = {"rules": [rule], "serve_check": expected}
    values = {"source": {"url": "photos"}, "store": {"url": "store"}, "gate": gate}
    with serving_probe(Settings.model_validate({**values, "tracking": {"url": "sqlite:///nowhere.db"}})) as probe:
        assert bool(probe) == expected
