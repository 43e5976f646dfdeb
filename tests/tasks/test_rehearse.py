"""Whether anybody waits to be asked; what is answered is in the stranger's and in the nights' tests."""

import pytest

from configs.schema import Settings
from tasks.rehearse import invited


@pytest.mark.parametrize(("rule", "comes"), [("accuracy at least 0", False), ("served as evaluated", True)])
def test_a_stranger_is_invited_only_where_a_rule_will_ask(rule: str, comes: bool) -> None:
    """A night whose rules want to know nothing of the served model has no process wait for it."""
    values = {"source": {"url": "photos"}, "store": {"url": "store"}, "gate": {"rules": [rule]}}
    with invited(Settings.model_validate({**values, "tracking": {"url": "sqlite:///nowhere.db"}})) as stranger:
        assert bool(stranger) == comes
