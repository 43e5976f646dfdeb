"""Pages of a run in Prefect: rules are told in rows, as on every other screen."""

from tasks.reports.prefect_ui.artifacts import format_rules

FALL = {"rule": "recall of any class not worse by 0.05", "outcome": "failed", "value": 0.273, "p": 0.001}


def cells(row: str) -> list[str]:
    """Return the cells of a table's row as they are read."""
    return [cell.strip() for cell in row.replace("\\", "").strip("|").split("|")]


def test_a_row_tells_why() -> None:
    """The outcome, the rule, and below it the reason in lines that the page shows whole; a failed rule is bold."""
    said = "recall of pug 0.5 against 0.773 on 11 images, recall of corgi 0.4 against 0.773 on 11 images"
    *_, row = format_rules([{**FALL, "unlikely": True, "said": f"{said}: {FALL['rule']}"}])
    outcome, reason = cells(row)
    assert outcome == "**✗ failed**"
    assert reason.split("<br>") == [
        "**recall of any class not worse by 0.05**",
        "recall of pug 0.5 against 0.773 on 11 images, recall of corgi 0.4",
        "against 0.773 on 11 images",
    ]


def test_a_rule_that_passed_beyond_its_limit_says_why() -> None:
    """A drop that chance may explain reads so, and not as a mistake; also in a run of old that kept no sentence."""
    drop = {"rule": "accuracy not worse by 0.01", "outcome": "passed", "value": 0.056, "p": 0.12}
    *_, row, old = format_rules(
        [{**drop, "said": "accuracy 0.9 against 0.956, which chance may explain (p 0.12)"}, drop]
    )
    assert cells(row)[1].endswith("<br>accuracy 0.9 against 0.956, which chance may explain (p 0.12)")
    assert cells(old)[1].endswith("<br>fell by 0.056, chance may explain it (p 0.12)")
