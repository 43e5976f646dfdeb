"""The commands of ``pedigree inbox``: parse, ask the catalog, and print the answer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import inbox_tables as screens
from flows.cli.terminal import (
    All,
    Changes,
    Config,
    Json,
    NewFolder,
    choose_most,
    print_answer,
    read_operations,
    read_settings,
    report_errors,
)

if TYPE_CHECKING:
    from configs.schema import Settings
    from tasks.catalog.inbox import WithdrawnPicture
    from tasks.stores.inbox import Inbox

app = typer.Typer(
    help="Label live pictures that their senders allowed to be kept: list, export, accept or forget them.",
    no_args_is_help=True,
)
_Day = Annotated[str, typer.Option("--day", metavar="DAY", help="Only pictures of that day, such as 2026-11-29.")]


@app.command("list")
def list_pictures(
    config: Config,
    changes: Changes = None,
    day: _Day = "",
    image: Annotated[
        str,
        typer.Option(
            "--image",
            metavar="DIGITS",
            help="Only pictures whose SHA-256 begins so, or that of the file that was sent.",
        ),
    ] = "",
    everything: All = False,
    as_json: Json = False,
) -> None:
    """List the pictures by day: what the model guessed, why each was kept, and what became of it."""
    with report_errors():
        from tasks.catalog import inbox

        listing = inbox.list_pictures(_open(config, changes)[0], day, image)
        screen = screens.render_listing(listing, choose_most(everything))
        print_answer(listing.to_dict(), as_json, screen, paged=True)


@app.command()
def export(
    folder: NewFolder,
    config: Config,
    changes: Changes = None,
    day: _Day = "",
    again: Annotated[
        bool, typer.Option("--again", help="Also write pictures that were exported before and have not come back.")
    ] = False,
    root: Annotated[
        str,
        typer.Option(
            "--root", metavar="DIR", help="The folder from which Label Studio serves files, if not the inbox."
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Write the waiting pictures as tasks for Label Studio, with the model's guesses as predictions."""
    with report_errors():
        from tasks.catalog import inbox

        options = inbox.ExportOptions(day, again, root)
        exported = inbox.export_tasks(_open(config, changes)[0], folder, options)
        print_answer(exported.to_dict(), as_json, screens.render_export(exported))


@app.command()
def accept(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The labels, as Label Studio exports them.")],
    config: Config,
    changes: Changes = None,
    control: Annotated[
        str, typer.Option("--control", metavar="NAME", help="The control that holds the label, if there are several.")
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the labels of pictures that were accepted under another.")
    ] = False,
    to: Annotated[
        str,
        typer.Option("--to", metavar="URL", help="Write to this address instead of source.url; you copy the files."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Accept labelled pictures: copy them into the source's folder pedigree-inbox, with labels and from=inbox."""
    with report_errors():
        from tasks.catalog import inbox_labels

        opened, settings = _open(config, changes)
        options = inbox_labels.AcceptOptions(control, replace)
        accepted = inbox_labels.accept_labels(opened, to or settings.source.url, file, settings.labels.aliases, options)
        print_answer(accepted.to_dict(), as_json, screens.render_accepted(accepted))


@app.command()
def forget(
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="The picture's SHA-256, 12 digits of it, or the answer's id.")
    ],
    config: Config,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Remove a picture from the inbox for good, and from the source's folder pedigree-inbox."""
    with report_errors():
        from tasks.catalog import inbox

        opened, settings = _open(config, changes)
        withdrawn = inbox.withdraw(opened, settings.source.url, image)
        print_answer(withdrawn.to_dict(), as_json, screens.render_withdrawn(withdrawn))


def withdraw_if_kept(config: Path | None, changes: list[str] | None, image: str) -> "WithdrawnPicture | None":
    """Remove an image from the inbox too, where the settings name one.

    Args:
        config: The settings file, if any.
        changes: Changes of its settings.
        image: The SHA-256 of the image's bytes.

    Returns:
        What was removed; None where there is no inbox.
    """
    if not config or not read_operations(config, changes).inbox.url:
        return None
    from tasks.catalog import inbox

    opened, settings = _open(config, changes)
    return inbox.withdraw(opened, settings.source.url, image)


def _open(config: Path, changes: list[str] | None) -> "tuple[Inbox, Settings]":
    """Open the inbox of a settings file, and return its settings too."""
    from tasks.stores.inbox import open_inbox

    settings, operations = read_settings(config, changes), read_operations(config, changes)
    return open_inbox(operations.inbox.url, [settings.source.url, settings.store.url]), settings
