"""The commands of ``pedigree model``: parse, ask the catalog or decide, and print the answer."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.errors import PedigreeError, SettingsError
from flows.cli import tables as screens
from flows.cli.terminal import (
    All,
    Changes,
    Config,
    Json,
    NewFolder,
    StoreConfig,
    StoreUrl,
    choose_most,
    choose_store,
    print_answer,
    read_settings,
    report_errors,
)

if TYPE_CHECKING:
    from tasks.promotion.aliases import Approver, Workspace

app = typer.Typer(
    help="Inspect the model versions of a store, see why each one serves or does not, and decide about them.",
    no_args_is_help=True,
)
_Version = Annotated[
    str, typer.Argument(metavar="VERSION", help="The model version (such as 3), champion, or an MLflow run id.")
]
_Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, which the ledger keeps.")]
_By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who decides; by default the user who is logged in here.")
]


@app.command("list")
def list_models(
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    everything: All = False,
    as_json: Json = False,
) -> None:
    """List the model versions, the newest last: the last decision about each, and which ones serve or are held."""
    with report_errors():
        from tasks.catalog.models import models

        listing = models(choose_store(config, changes, store))
        print_answer(listing.to_dict(), as_json, screens.render_models(listing, choose_most(everything)), paged=True)


@app.command()
def show(
    version: _Version,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Show what a version was made of, and with --config whether MLflow serves the files that were registered."""
    with report_errors():
        from tasks.catalog import models

        tracking = read_settings(config, changes).tracking if config else None
        details = models.show(choose_store(config, changes, store), version, tracking)
        print_answer(details.to_dict(), as_json, screens.render_model_details(details), paged=True)
        if details.alarm:
            raise PedigreeError(f"{details.alarm}.")


@app.command()
def why(
    version: _Version,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Show the history of a version: what changed in its data, figures, rules, and who decided what and why."""
    with report_errors():
        from tasks.catalog import models

        history = models.why(choose_store(config, changes, store), version)
        print_answer(history.to_dict(), as_json, screens.render_model_history(history), paged=True)


@app.command()
def promote(
    version: _Version,
    config: Config,
    why: _Why,
    by: _By = "",
    instead_of: Annotated[
        str,
        typer.Option(
            "--instead-of", metavar="VERSION", help="Replace this champion, although the two were not compared."
        ),
    ] = "",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Promote a version that waits for approval, was rejected, or served before."""
    with report_errors():
        from tasks.promotion import overrides

        override = overrides.promote(_workspace(config, changes), version, _person(by, why), instead_of)
        print_answer(override.to_dict(), as_json, screens.render_override(override))


@app.command()
def rollback(config: Config, why: _Why, by: _By = "", changes: Changes = None, as_json: Json = False) -> None:
    """Promote the previous champion again, and hold the present one's weights and data until somebody lifts it."""
    with report_errors():
        from tasks.promotion import overrides

        override = overrides.roll_back(_workspace(config, changes), _person(by, why))
        print_answer(override.to_dict(), as_json, screens.render_override(override))


@app.command()
def hold(
    version: _Version, config: Config, why: _Why, by: _By = "", changes: Changes = None, as_json: Json = False
) -> None:
    """Keep a version's weights and data from being promoted until somebody lifts the hold."""
    with report_errors():
        from tasks.promotion import overrides

        override = overrides.hold(_workspace(config, changes), version, _person(by, why))
        print_answer(override.to_dict(), as_json, screens.render_override(override))


@app.command()
def lift(
    version: _Version, config: Config, why: _Why, by: _By = "", changes: Changes = None, as_json: Json = False
) -> None:
    """Lift the hold on a version, whether it came from a hold or from a rollback."""
    with report_errors():
        from tasks.promotion import overrides

        override = overrides.release(_workspace(config, changes), version, _person(by, why))
        print_answer(override.to_dict(), as_json, screens.render_override(override))


@app.command()
def export(
    version: _Version,
    folder: NewFolder,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Export a version as a folder that answers photographs without Pedigree, checked against its evaluation."""
    with report_errors():
        from configs.card import Card
        from configs.schema import Tracking
        from tasks.exporting.export_model import export_model

        settings = read_settings(config, changes) if config else None
        card, name = (settings.card, settings.tracking.model) if settings else (Card(), Tracking().model)
        exported = export_model(choose_store(config, changes, store), version, folder, card, name)
        print_answer(exported.to_dict(), as_json, screens.render_exported_model(exported))


def _workspace(config: Path, changes: list[str] | None) -> "Workspace":
    from tasks.promotion.aliases import Workspace
    from tasks.stores.store import Store

    settings = read_settings(config, changes)
    return Workspace(Store(settings.store.url), settings.tracking)


def _person(name: str, why: str) -> "Approver":
    """Return who decides: the name given, or else whoever is logged in on this machine.

    Raises:
        SettingsError: Nobody is named, and the machine does not say who is logged in.
    """
    from tasks.promotion.aliases import Approver

    try:
        return Approver(name or getpass.getuser(), why)
    except (KeyError, OSError) as error:
        raise SettingsError("This machine does not say who is logged in: name yourself with --by.") from error
