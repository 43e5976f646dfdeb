"""The command ``pedigree doctor``, and the list that it prints."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.environment import home
from configs.errors import PedigreeError, SettingsError
from configs.visible_text import shown, visible
from flows.cli.terminal import (
    Changes,
    Json,
    print_answer,
    read_operations,
    read_settings,
    report_errors,
)
from tasks.domain.phrasing import count

if TYPE_CHECKING:
    from configs.schema import Settings
    from configs.servers import Operations
    from infra.doctor.finding import Diagnosis, Finding

app = typer.Typer()
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@app.command(rich_help_panel="First steps")
def doctor(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Check the source, store and servers of these settings too.")
    ] = None,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Check what would stop a run on this machine, and say what to do about it (exit code 1: something would)."""
    with report_errors():
        from infra.doctor.examine import examine

        settings, operations, problem = _read(config, changes or [])
        diagnosis = examine(home(), settings, operations, problem)
        print_answer(diagnosis.to_dict(), as_json, render_diagnosis(diagnosis))
        if diagnosis.failures:
            raise PedigreeError(
                f"{count(diagnosis.failures, 'finding')} would stop a run: follow the advice beside it."
            )


def _read(config: Path | None, changes: list[str]) -> "tuple[Settings | None, Operations | None, str]":
    """Return the settings, or what is wrong with them: the machine is looked at all the same."""
    try:
        if config:
            return read_settings(config, changes), read_operations(config, changes), ""
    except SettingsError as error:
        return None, None, str(error)
    return None, None, ""


def render_diagnosis(diagnosis: "Diagnosis") -> RenderableType:
    """Render one finding a line, and below it what to do; then whether a run can start."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=False)
    for column in ("state", "name", "message"):
        table.add_column(column, overflow="fold")
    for finding in diagnosis.findings:
        table.add_row(Text(finding.state, _COLOURS[finding.state]), finding.name, _describe(finding))
    warnings = sum(finding.state == "warn" for finding in diagnosis.findings)
    fine = "Everything is ready for a run" + (f", with {count(warnings, 'warning')}." if warnings else ".")
    return Group(table, *([] if diagnosis.failures else [Text(f"\n{fine}")]))


def _describe(finding: "Finding") -> Text:
    text = Text(visible(shown(finding.message)))
    return text.append(f"\nDo: {visible(shown(finding.remedy))}.", "bold") if finding.remedy else text
