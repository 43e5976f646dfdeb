"""The commands of ``pedigree data``: parse, ask the catalog, and print the answer."""

from pathlib import Path
from typing import Annotated

import typer

from configs.errors import PedigreeError
from flows.cli import data_tables as screens
from flows.cli.inbox import withdraw_if_kept
from flows.cli.terminal import (
    All,
    AsOf,
    Changes,
    Config,
    Json,
    NewFolder,
    StoreConfig,
    StoreUrl,
    choose_engine,
    choose_most,
    choose_store,
    print_answer,
    read_settings,
    report_errors,
)

app = typer.Typer(
    help="Inspect the dataset versions of a store, export them as plain folders, and verify that they are undamaged.",
    no_args_is_help=True,
)
_Version = Annotated[
    str, typer.Argument(metavar="V", help="The version: at least 4 first digits of its hash, or latest.")
]


@app.command("list")
def list_versions(
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    everything: All = False,
    as_json: Json = False,
) -> None:
    """List the dataset versions, the newest last, and what was decided about each."""
    with report_errors():
        from tasks.catalog.versions import versions

        listing = versions(choose_store(config, changes, store))
        print_answer(listing.to_dict(), as_json, screens.render_versions(listing, choose_most(everything)), paged=True)


@app.command()
def show(
    version: _Version,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Show what a version holds: each class by split, attributes, warnings, and what was decided about it."""
    with report_errors():
        from tasks.catalog import versions

        details = versions.show(choose_store(config, changes, store), version)
        print_answer(details.to_dict(), as_json, screens.render_version_details(details), paged=True)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="The version, model version or MLflow run before.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The version, model version or MLflow run after.")],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with thumbnails.")] = None,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    everything: All = False,
    as_json: Json = False,
) -> None:
    """Show what changed from A to B: images, labels, splits and attributes; for models also flipped predictions."""
    with report_errors():
        from tasks.catalog import versions

        opened = choose_store(config, changes, store)
        comparison = versions.diff(opened, before, after)
        if html:
            from tasks.catalog.export import write_report
            from tasks.reports.prefect_ui.pace_bar import show_pace

            write_report(opened, comparison, html, show_pace)
        print_answer(
            comparison.to_dict(),
            as_json,
            screens.render_version_comparison(comparison, html, choose_most(everything)),
            paged=True,
        )


@app.command("find")
def find_uses(
    word: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="An image's hash or key, a version, a model, a backbone, an MLflow run."),
    ],
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    everything: All = False,
    as_json: Json = False,
) -> None:
    """List every version and model that used an image or came from a version, and with -c the Prefect run of each."""
    with report_errors():
        from tasks.catalog.lineage import find

        tracking = read_settings(config, changes).tracking if config else None
        lineage = find(choose_store(config, changes, store), word, tracking)
        print_answer(lineage.to_dict(), as_json, screens.render_lineage(lineage, choose_most(everything)), paged=True)


@app.command()
def rejects(
    version: Annotated[
        str | None,
        typer.Argument(metavar="[V]", help="Also list what this version's labels name but the version leaves out."),
    ] = None,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    everything: All = False,
    as_json: Json = False,
) -> None:
    """List the photographs that cannot be training images, each with the reason."""
    with report_errors():
        from tasks.catalog import versions

        listing = versions.rejects(choose_store(config, changes, store), version)
        print_answer(listing.to_dict(), as_json, screens.render_rejects(listing, choose_most(everything)), paged=True)


@app.command()
def retry(
    reason: Annotated[
        str | None, typer.Argument(metavar="[REASON]", help="Only what was rejected for this reason, such as damaged.")
    ] = None,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Let the next retraining examine rejected photographs again, whatever they were rejected for."""
    with report_errors():
        from tasks.catalog.images import retry as release

        released = release(choose_store(config, changes, store), reason)
        print_answer(released.to_dict(), as_json, screens.render_released(released))


@app.command()
def checkout(
    version: _Version,
    folder: NewFolder,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Write a version as a plain folder, class/sha256.jpg and manifest.csv, for Keras, torchvision, fastai or a zip."""
    with report_errors():
        from tasks.catalog import export as plain
        from tasks.reports.prefect_ui.pace_bar import show_pace

        export = plain.checkout(choose_store(config, changes, store), version, folder, show_pace)
        print_answer(export.to_dict(), as_json, screens.render_exported_version(export))


@app.command()
def verify(
    version: _Version,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    everything: All = False,
    as_json: Json = False,
) -> None:
    """Hash every image and every record of a version again, and name what is damaged."""
    with report_errors():
        from tasks.catalog import verify as proof
        from tasks.reports.prefect_ui.pace_bar import show_pace

        opened, engine = choose_store(config, changes, store), choose_engine(config, changes)
        verification = proof.verify(opened, version, show_pace, engine)
        print_answer(
            verification.to_dict(),
            as_json,
            screens.render_verification(verification, choose_most(everything)),
            paged=True,
        )
        if verification.damage:
            number, first = len(verification.damage), verification.damage[0].what
            message = f"Version {verification.dataset[:12]} is damaged in {number:,} places, the first is {first}"
            raise PedigreeError(f"{message}: put back from a copy of the store what nobody removed for good.")


@app.command()
def rebuild(
    config: Config,
    changes: Changes = None,
    as_of: AsOf = "",
    as_json: Json = False,
) -> None:
    """Build a dataset version of what the source holds, or held on a former day, without training on it."""
    with report_errors():
        from flows.runner import run_rebuild

        rebuilt_data = run_rebuild(read_settings(config, changes), as_of)
        print_answer(rebuilt_data.to_dict(), as_json, screens.render_rebuilt_data(rebuilt_data))


@app.command()
def forget(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The image's SHA-256, or 12 digits of it.")],
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Remove an image from the store for good, and with -c from the inbox; only a note that it was removed stays."""
    with report_errors():
        from tasks.catalog import images as removal

        removed_image = removal.forget(choose_store(config, changes, store), image)
        withdrawn = withdraw_if_kept(config, changes, removed_image.image)
        plain = removed_image.to_dict() | ({"inbox": withdrawn.to_dict()} if withdrawn else {})
        print_answer(plain, as_json, screens.render_removed_image(removed_image, withdrawn))
