"""Screens of ``pedigree inbox``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.visible_text import visible
from flows.cli.tables import older
from tasks.domain.phrasing import SHORT, count

if TYPE_CHECKING:
    from tasks.catalog.inbox import ExportedTasks, InboxListing, ListedPicture, WithdrawnPicture
    from tasks.catalog.inbox_labels import AcceptedLabels

# The most of a kind that a screen names; --json names all.
_MOST = 20


def render_listing(listing: "InboxListing", most: int) -> RenderableType:
    """Render the newest pictures, one a line, and how many of each state there are.

    Args:
        listing: All of them.
        most: How many are shown.

    Returns:
        The table, what is damaged, and the counts.
    """
    table = Table(box=None, pad_edge=False)
    for name in ("day", "picture", "guess", "kept for", "a person said", "state"):
        table.add_column(name)
    shown = listing.pictures[-most:]
    for picture in shown:
        record = picture.record
        table.add_row(
            record.day,
            record.image[:SHORT],
            Text(visible(f"{record.guess} {record.probability:.2f}")),
            ", ".join(record.reasons),
            Text(visible(_opinion(picture))),
            picture.state.value,
        )
    states = Counter(picture.state.value for picture in listing.pictures)
    total = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
    last = f"{count(len(listing.pictures), 'picture')}: {total}" if total else "There is no such picture in the inbox."
    beside = [*_lines(listing.damaged), *older(len(listing.pictures) - len(shown)), Text(last)]
    return Group(*([table] if shown else []), *beside)


def _opinion(picture: "ListedPicture") -> str:
    record = picture.record
    return f"wrong, {record.claimed}" if record.claimed else "wrong" if record.wrong else ""


def render_export(exported: "ExportedTasks") -> RenderableType:
    """Say what was written, and what to do with it."""
    tasks, config = exported.files
    return Group(
        *_lines(exported.damaged),
        Text(
            visible(
                f"{count(exported.tasks, 'task')} in {exported.folder}: give {config} to a Label Studio project as its "
                f"labelling interface, import {tasks}, and hand its export to pedigree inbox accept."
            )
        ),
    )


def render_accepted(accepted: "AcceptedLabels") -> RenderableType:
    """Say how many pictures came in, and what became of each other one."""
    added = Counter(accepted.added.values())
    classes = ", ".join(f"{number:,} {label}" for label, number in sorted(added.items()))
    lines = [f"{count(len(accepted.added), 'picture')} came in{f' ({classes})' if classes else ''}."]
    lines += [f"{count(accepted.standing, 'picture')} had come in under the same label."] if accepted.standing else []
    for sentence, pictures in (
        ("relabelled", _short(accepted.replaced)),
        ("under the label of before, which --replace would change", _relabelled(accepted.contradicting)),
        ("without a label, since nobody chose one or the task was skipped", _short(accepted.unlabelled)),
        ("with labels that disagree (settle them, and accept again)", _disagreeing(accepted.disagreeing)),
        ("not in the inbox", accepted.unknown),
        ("in rows that cannot be read", accepted.skipped),
    ):
        lines += _named(sentence, pictures)
    lines += [
        f"{count(number, 'picture')} of {label}, which the model did not know: it is learned once there are enough"
        for label, number in sorted(accepted.new_classes.items())
    ]
    return Group(*_lines(lines), *_lines(accepted.damaged))


def _short(images: Sequence[str]) -> list[str]:
    return [image[:SHORT] for image in images]


def _relabelled(labels: Mapping[str, tuple[str, str]]) -> list[str]:
    return [f"{image[:SHORT]} ({before}, not {after})" for image, (before, after) in labels.items()]


def _disagreeing(labels: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{image[:SHORT]} ({', '.join(names)})" for image, names in labels.items()]


def _named(sentence: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
    return [f"{count(len(names), 'picture')} {sentence}: {', '.join(names[:_MOST])}{more}"]


def render_withdrawn(withdrawn: "WithdrawnPicture") -> str:
    """Say what was removed."""
    removed = "removed from the inbox" if withdrawn.kept else "was not in the inbox"
    came_in = f", and {', '.join(withdrawn.came_in)} from the source" if withdrawn.came_in else ""
    read = " A run may have read it: pedigree data forget removes it from the store." if withdrawn.came_in else ""
    return f"{withdrawn.image[:SHORT]} {removed}{came_in}; it is never kept again.{read}"


def _lines(sentences: Sequence[str]) -> list[Text]:
    return [Text(visible(sentence)) for sentence in sentences]
