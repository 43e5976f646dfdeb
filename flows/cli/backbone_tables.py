"""What ``pedigree backbone`` prints."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.schema import AUTO

if TYPE_CHECKING:
    from tasks.domain.training.cut_comparison import CutComparison


def cut_comparison(comparison: "CutComparison", present_cut: str) -> RenderableType:
    """Show each cut's log loss and accuracy with their intervals, which one is best, and what to set."""
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
    if cut == AUTO:
        return "backbone.cut is auto, and this store has no model yet: its first night measures as here, and chooses."
    if cut == chosen:
        return f"backbone.cut is {cut} already."
    return (
        f"backbone.cut is {cut}. To change it, set it to {chosen}; the next night then embeds all photographs that "
        "were not measured here."
    )
