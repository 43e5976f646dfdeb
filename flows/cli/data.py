"""The commands of ``pedigree data``: parse, delegate, and answer."""

from pathlib import Path
from typing import Annotated

import typer

from configs.errors import Problem
from configs.load import read_settings
from flows.cli import data_tables as screens
from flows.cli.options import Changes, Config, Json, StoreConfig, StoreUrl, answer, sentences, store_of

app = typer.Typer(
    help="Look at the dataset versions of a store, take them out as plain folders, and prove them whole.",
    no_args_is_help=True,
)
_Version = Annotated[
    str, typer.Argument(metavar="V", help="The version: the first digits of its hash, 4 at least, or latest.")
]


@app.command("list")
def list_versions(
    config: StoreConfig = None, changes: Changes = None, store: StoreUrl = None, as_json: Json = False
) -> None:
    """List the dataset versions, the newest last, and what was decided about each."""
    with sentences():
        from tasks.catalog.versions import versions

        found = versions(store_of(config, changes, store))
        answer(found.plain(), as_json, screens.versions(found))


@app.command()
def show(
    version: _Version,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Show what a version holds: each class by split, attributes, warnings, and what was decided about it."""
    with sentences():
        from tasks.catalog import versions

        shown = versions.show(store_of(config, changes, store), version)
        answer(shown.plain(), as_json, screens.shown(shown))


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="The version, model version or MLflow run before.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The version, model version or MLflow run after.")],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with thumbnails.")] = None,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Name what differs from A to B: images, labels, splits, attributes; of models also answers that flipped."""
    with sentences():
        from tasks.catalog import versions

        place = store_of(config, changes, store)
        compared = versions.diff(place, before, after)
        if html:
            from tasks.catalog.diff_report import write_report

            write_report(place, compared, html, screens.progress)
        answer(compared.plain(), as_json, screens.compared(compared, html))


@app.command("find")
def find_uses(
    word: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="An image's hash or key, a version, a model version, an MLflow run."),
    ],
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Name every version and model that used an image or came from a version, and with -c the Prefect run of each."""
    with sentences():
        from tasks.catalog.lineage import find

        place = read_settings(config, changes or []).tracking if config else None
        found = find(store_of(config, changes, store), word, place)
        answer(found.plain(), as_json, screens.found(found))


@app.command()
def rejects(
    version: Annotated[
        str | None, typer.Argument(metavar="[V]", help="Also what this version's labelling held and the version lacks.")
    ] = None,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """List the photographs that are no training images, each with the reason."""
    with sentences():
        from tasks.catalog import versions

        found = versions.rejects(store_of(config, changes, store), version)
        answer(found.plain(), as_json, screens.rejects(found))


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
    """Have rejected photographs examined again by the next retraining, whatever they were rejected for."""
    with sentences():
        from tasks.catalog.retry import retry as release

        released = release(store_of(config, changes, store), reason)
        answer(released.plain(), as_json, screens.released(released))


@app.command()
def checkout(
    version: _Version,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; it may exist if it is empty.")],
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Write a version as a plain folder, class/sha256.jpg and manifest.csv, for Keras, torchvision, fastai or a zip."""
    with sentences():
        from tasks.catalog import export as plain

        done = plain.checkout(store_of(config, changes, store), version, folder, screens.progress)
        answer(done.plain(), as_json, screens.checked_out(done))


@app.command()
def verify(
    version: _Version,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Hash every image and every record of a version again, and name what is damaged."""
    with sentences():
        from tasks.catalog import verify as proof

        verified = proof.verify(store_of(config, changes, store), version, screens.progress)
        answer(verified.plain(), as_json, screens.verified(verified))
        if verified.damage:
            number, first = len(verified.damage), verified.damage[0].what
            message = f"Version {verified.dataset[:12]} is damaged in {number:,} places, the first is {first}"
            raise Problem(f"{message}: put back from a copy of the store what nobody removed for good.")


@app.command()
def rebuild(
    config: Config,
    changes: Changes = None,
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="Use the source as it was on that day.")] = "",
    as_json: Json = False,
) -> None:
    """Make the version of what the source holds, or held on a former day, without training on it."""
    with sentences():
        from flows.runner import run_rebuild

        versions = run_rebuild(read_settings(config, changes or []), as_of)
        answer(versions.plain(), as_json, screens.rebuilt(versions))


@app.command()
def forget(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The image's SHA-256, all of it.")],
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Remove an image's bytes and features from the store for good; only a note that it was removed stays."""
    with sentences():
        from tasks.catalog import forget as removal

        gone = removal.forget(store_of(config, changes, store), image)
        answer(gone.plain(), as_json, screens.forgotten(gone))
