"""What ``pedigree backbone`` prints."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.schema import AUTO

if TYPE_CHECKING:
    from tasks.domain.training.cut_comparison import CutComparison


def compared(found: "CutComparison", now: str) -> RenderableType:
    """Show each cut's log loss and accuracy with their intervals, which one is best, and what to set."""
    table = Table("cut", box=None, padding=(0, 1), pad_edge=False)
    for head in ("numbers", "log loss", "95%", "accuracy", "95%"):
        table.add_column(head, justify="right")
    for cut in found.cuts:
        loss = f"{cut.log_loss:.3f}", f"{cut.log_loss_low:.3f} to {cut.log_loss_high:.3f}"
        accuracy = f"{cut.accuracy:.3f}", f"{cut.accuracy_low:.3f} to {cut.accuracy_high:.3f}"
        style = "bold green" if cut.cut == found.chosen else None
        table.add_row(cut.cut, f"{cut.width:,}", *loss, *accuracy, style=style)
    return Group(table, Text(f"\nBest is {found}.\n{_advice(found.chosen, now)}"))


def _advice(chosen: str, now: str) -> str:
    if now == AUTO:
        return "backbone.cut is auto, and this store has no model yet: its first night measures as here, and chooses."
    if now == chosen:
        return f"backbone.cut is {now} already."
    return (
        f"backbone.cut is {now}. To change it, set it to {chosen}; the next night then embeds all photographs that "
        "were not measured here."
    )
