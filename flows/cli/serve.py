"""The command ``pedigree serve``: which model is followed, where it answers, and what is printed then."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from configs.environment import absolute, embedded_mlflow, mlflow_address, prepare_environment
from configs.errors import SettingsError
from configs.load import parse_section, read_operations, read_settings
from configs.schema import Tracking
from configs.servers import Serve
from flows.cli.terminal import print_answer

if TYPE_CHECKING:
    from tasks.service.models.model_source import ModelSource
    from tasks.service.server import Records


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line says.

    Attributes:
        config: The settings file, if any.
        changes: Changes of its settings.
        store: The store's address, instead of a settings file.
        mlflow: MLflow's address, where no store is at hand.
        model: The name of the registered model; empty for that of the settings.
        host: The address to listen on; empty for that of the settings.
        port: The port; None for that of the settings.
    """

    config: Path | None
    changes: list[str]
    store: str
    mlflow: str
    model: str
    host: str
    port: int | None


def serve(options: ServeOptions, as_json: bool) -> None:  # noqa: FBT001 - the flag as it was given
    """Answer photographs until the process is told to stop.

    Args:
        options: What the command line says.
        as_json: Print the address as one JSON object.
    """
    from tasks.service.server import open_service

    service = open_service(_source(options), _section(options), records=_records(options))
    service.run(lambda address: _tell(address, as_json))


def _section(options: ServeOptions) -> Serve:
    """Return the section serve of the settings, with what the command line says instead."""
    section = read_operations(options.config, options.changes).serve if options.config else Serve()
    given = {"host": options.host or None, "port": options.port}
    changed = {name: value for name, value in given.items() if value is not None}
    return parse_section(Serve, ("serve",), {"serve": {**section.model_dump(), **changed}})


def _source(options: ServeOptions) -> "ModelSource":
    """Return where champions are found: a store's ledger where one is at hand, else MLflow's alias."""
    if sum(map(bool, (options.config, options.store, options.mlflow))) > 1 or (options.changes and not options.config):
        raise SettingsError(
            "Name the champion's place once: by -c FILE, with --set where needed, by --store URL, or by --mlflow URL."
        )
    tracking = read_settings(options.config, options.changes).tracking if options.config else Tracking()
    if url := _store_url(options):
        from tasks.service.models.store_models import StoreModels
        from tasks.stores.store import Store

        return StoreModels(Store(url), options.model or tracking.model)
    from tasks.service.models.registry_models import RegistryModels
    from tasks.stores.tracking.client import check_address

    # MLflow would ask a server that is gone for minutes, while a copy of the model is at hand.
    prepare_environment(MLFLOW_HTTP_REQUEST_MAX_RETRIES="1", MLFLOW_HTTP_REQUEST_TIMEOUT="10")
    address = _mlflow_url(options)
    check_address(address)
    return RegistryModels(address, options.model or tracking.model)


def _mlflow_url(options: ServeOptions) -> str:
    """Return the address of the MLflow whose alias is followed where no store is at hand."""
    return options.mlflow or mlflow_address() or embedded_mlflow()


def _records(options: ServeOptions) -> "Records":
    """Return what tells Prefect, MLflow and the inbox; nothing is written to those that no settings file names."""
    from tasks.service.live_records import keep_pictures, live_records

    if options.config is None:
        return live_records(None, "" if options.store else _mlflow_url(options))
    settings = read_settings(options.config, options.changes)
    inbox = read_operations(options.config, options.changes).inbox
    return keep_pictures(live_records(settings.tracking), inbox, (settings.source.url, settings.store.url))


def _store_url(options: ServeOptions) -> str:
    """Return the store's address; empty where none is named."""
    if options.config:
        return read_settings(options.config, options.changes).store.url
    return absolute(options.store)


def _tell(address: str, as_json: bool) -> None:  # noqa: FBT001 - the flag as it was given
    print_answer({"address": address}, as_json, f"The champion answers at {address}: POST a photograph to /v1/predict.")
