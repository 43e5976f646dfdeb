"""The commands of ``pedigree backbone``, and the table that they print."""

from typing import TYPE_CHECKING

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.cli.terminal import (
    Changes,
    Config,
    Json,
    print_answer,
    read_settings,
    report_errors,
)

app = typer.Typer(help="Inspect the network that turns photographs into features.", no_args_is_help=True)


@app.callback()
def backbone() -> None:
    """Inspect the network that turns photographs into features."""


@app.command()
def compare(config: Config, changes: Changes = None, as_json: Json = False) -> None:
    """Measure each cut of the backbone, and pairs of cuts, on the photographs in the source, and say which is best.

    It takes 2,000 photographs at most, and no test image. Nothing is trained or decided; set backbone.cut yourself.
    """
    with report_errors():
        from flows.runner import run_compare

        settings = read_settings(config, changes)
        comparison = run_compare(settings)
        # Imports Prefect, whose own log lines stay off the screen only where the runner was there first.
        from tasks.features.backbone_cuts import with_chosen_cut
        from tasks.stores.store import Store

        present_cut = with_chosen_cut(settings, Store(settings.store.url)).backbone.cut
        print_answer(
            {**comparison.to_dict(), "now": present_cut}, as_json, render_cut_comparison(comparison, present_cut)
        )


if TYPE_CHECKING:
    from tasks.domain.training.cut_comparison import CutComparison


def render_cut_comparison(comparison: "CutComparison", present_cut: str) -> RenderableType:
    """Render each cut's log loss and accuracy with their intervals, which cut is best, and what to set.

    Args:
        comparison: The measured cuts.
        present_cut: The cut that the settings or the store's models have now; auto where neither chose one.

    Returns:
        The table, and below it the advice.
    """
    table = Table("cut", box=None, padding=(0, 1), pad_edge=False)
    for head in ("numbers", "log loss", "95%", "accuracy", "95%"):
        table.add_column(head, justify="right")
    for cut in comparison.cuts:
        loss = f"{cut.log_loss:.3f}", f"{cut.log_loss_low:.3f} to {cut.log_loss_high:.3f}"
        accuracy = f"{cut.accuracy:.3f}", f"{cut.accuracy_low:.3f} to {cut.accuracy_high:.3f}"
        style = "bold green" if cut.cut == comparison.chosen else None
        table.add_row(cut.cut, f"{cut.width:,}", *loss, *accuracy, style=style)
    return Group(table, Text(f"\nBest is {comparison}.\n{_advice(comparison.chosen, present_cut)}"))


def _advice(chosen: str, cut: str) -> str:
    from configs.schema import AUTO

    if cut == AUTO:
        return "backbone.cut is auto, and this store has no model yet: its first run measures as here, and chooses."
    if cut == chosen:
        return f"backbone.cut is {cut} already."
    return (
        f"backbone.cut is {cut}. To change it, set it to {chosen}; the next run then embeds all photographs that "
        "were not measured here."
    )
