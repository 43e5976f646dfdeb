"""Pages of a run in Prefect: rules are told in rows, as on every other screen."""

from tasks.reports.prefect_ui.artifacts import format_rules

FALL = {"rule": "recall of any class not worse by 0.05", "outcome": "failed", "value": 0.273, "p": 0.001}


def test_a_row_tells_what_happened() -> None:
    """Direction, size, chance, outcome and sentence stand in one row of Markdown; a failed rule is bold."""
    *_, row = format_rules([{**FALL, "unlikely": True, "said": "recall of pug 0.5 against 0.773 on 11 images"}])
    cells = [cell.strip() for cell in row.replace("\\", "").strip("|").split("|")]
    assert cells == [
        "recall of any class not worse by 0.05",
        "fell by 0.273",
        "chance does not explain it (p 0.001)",
        "**failed**",
        "recall of pug 0.5 against 0.773 on 11 images",
    ]
