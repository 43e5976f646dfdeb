"""MLflow's runs: opened, filled with figures, tags and files, and closed."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote

from configs.environment import mlflow_pages
from configs.visible_text import shown, visible
from tasks.stores.files.leases import is_alive
from tasks.stores.tracking.batches import as_metrics, as_tags, cleaned_tags, log_batches
from tasks.stores.tracking.client import NO_SUCH_RUN, ensure_experiment, mlflow_at
from tasks.stores.tracking.database import has_known_layout
from tasks.stores.tracking.embedded_registry import EmbeddedRegistry

if TYPE_CHECKING:
    from mlflow.entities import Run

#: The tag of a run that says which process opened it.
OWNER = "pedigree.owner"


def start_run(url: str, experiment: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> str:
    """Start a run with its parameters and tags.

    Args:
        url: MLflow's address.
        experiment: The experiment's name.
        parameters: The parameters.
        tags: The tags.

    Returns:
        The run's id.
    """
    from mlflow.entities import Param

    with mlflow_at(url) as client:
        name = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        run = client.create_run(ensure_experiment(client, url, experiment), tags=dict(tags), run_name=name)
        run_id = str(run.info.run_id)
        log_batches(client, run_id, params=[Param(key, value) for key, value in parameters.items()])
        return run_id


def find_open_run(url: str, experiment: str, tags: Mapping[str, str], flow_run: str = "") -> str | None:
    """Find an open run with these tags whose process has died, so that it can be continued.

    Args:
        url: MLflow's address.
        experiment: The experiment's name.
        tags: The tags.
        flow_run: A Prefect flow run whose run may be continued also while its process lives.

    Returns:
        The run's id; None where there is no such run.
    """
    conditions = ["attributes.status = 'RUNNING'", *(f"tags.`{key}` = '{value}'" for key, value in tags.items())]
    with mlflow_at(url) as client:
        runs = client.search_runs([ensure_experiment(client, url, experiment)], " AND ".join(conditions))
    own_tags = {"pedigree.flow_run": flow_run or "none"}.items()
    unfinished = (run for run in runs if not _lives(run) or own_tags <= run.data.tags.items())
    return next((str(run.info.run_id) for run in unfinished), None)


def log_epochs(url: str, run_id: str, epochs: Sequence[tuple[int, Mapping[str, float]]]) -> None:
    """Log the metrics of all epochs, hundreds in a request.

    Args:
        url: MLflow's address.
        run_id: The run.
        epochs: The number and the metrics of each epoch.
    """
    with mlflow_at(url) as client:
        log_batches(client, run_id, as_metrics(epochs))


def log_metrics(url: str, run_id: str, metrics: Mapping[str, float], tags: Mapping[str, str] | None = None) -> None:
    """Log final metrics, and tags with them.

    Args:
        url: MLflow's address.
        run_id: The run.
        metrics: The metrics.
        tags: The tags.
    """
    with mlflow_at(url) as client:
        log_batches(client, run_id, as_metrics([(0, metrics)]), tags=as_tags(tags or {}))


def tag(url: str, run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of a run; tags of the same name are replaced.

    Args:
        url: MLflow's address.
        run_id: The run.
        tags: The tags.
    """
    if has_known_layout(url):
        EmbeddedRegistry(url).tag_run(run_id, cleaned_tags(tags))
        return
    with mlflow_at(url) as client:
        log_batches(client, run_id, tags=as_tags(tags))


def log_dataset(url: str, run_id: str, dataset: str, source: str, images: int) -> None:
    """Log the dataset version as the run's input; its digest is the first half of the hash, a tag has all of it.

    Args:
        url: MLflow's address.
        run_id: The run.
        dataset: The hash of the dataset version.
        source: The address of the photographs.
        images: The number of images.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    entity = Dataset(
        name="pedigree",
        digest=dataset[:32],  # MLflow allows 36 characters.
        source_type="s3" if source.startswith("s3://") else "local",
        source=json.dumps({"uri": source}),
        profile=json.dumps({"images": images}),
    )
    tags = [InputTag("mlflow.data.context", "training"), InputTag("pedigree.dataset", dataset)]
    with mlflow_at(url) as client:
        client.log_inputs(run_id, [DatasetInput(entity, tags)])


def flow_runs(url: str, run_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the Prefect flow run that each run belongs to.

    Args:
        url: MLflow's address.
        run_ids: The runs.

    Returns:
        The flow run's id and the address of its page, by run; runs that MLflow does not have are left out.

    Raises:
        MlflowException: Any other failure, which ``mlflow_at`` turns into a PedigreeError.
    """
    from mlflow.exceptions import MlflowException

    origins = {}
    with mlflow_at(url) as client:
        for run_id in run_ids:
            try:
                tags = client.get_run(run_id).data.tags
            except MlflowException as error:
                if error.error_code not in NO_SUCH_RUN:
                    raise
                continue
            origins[run_id] = (tags.get("pedigree.flow_run", ""), tags.get("pedigree.flow_run_url", ""))
    return origins


def runs_of(url: str, experiment: str, flow_run: str) -> list[str]:
    """Return the runs of a Prefect flow run.

    Args:
        url: MLflow's address.
        experiment: The experiment's name.
        flow_run: The flow run's id.

    Returns:
        The ids of the runs.
    """
    with mlflow_at(url) as client:
        condition = f"tags.`pedigree.flow_run` = '{flow_run}'"
        runs = client.search_runs([ensure_experiment(client, url, experiment)], condition)
        return [str(run.info.run_id) for run in runs]


def log_files(url: str, run_id: str, files: Mapping[str, bytes]) -> None:
    """Upload files to a run.

    Args:
        url: MLflow's address.
        run_id: The run.
        files: The bytes of each file by its name, such as ``dataset/card.json``.
    """
    with mlflow_at(url) as client, TemporaryDirectory() as folder:
        for name, data in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        client.log_artifacts(run_id, folder)


def read_files(url: str, run_id: str, folder: str) -> dict[str, bytes]:
    """Read the files of a folder of a run.

    Args:
        url: MLflow's address.
        run_id: The run.
        folder: The folder, such as ``live/parts``.

    Returns:
        The bytes of each file by its name within the run; none where there is no such folder or run.

    Raises:
        MlflowException: Any other failure, which ``mlflow_at`` turns into a PedigreeError.
    """
    from mlflow.exceptions import MlflowException

    with mlflow_at(url) as client, TemporaryDirectory() as place:
        try:
            names = [entry.path for entry in client.list_artifacts(run_id, folder) if not entry.is_dir]
        except MlflowException as error:
            if error.error_code not in NO_SUCH_RUN:
                raise
            return {}
        return {name: Path(client.download_artifacts(run_id, name, place)).read_bytes() for name in names}


def file_page(url: str, run_id: str, name: str) -> str:
    """Return the page that shows a file of a run.

    Args:
        url: MLflow's address.
        run_id: The run.
        name: The file's name.

    Returns:
        The address; empty where MLflow is a database that has no pages, or does not have the run.
    """
    pages = mlflow_pages(url)
    if not pages:
        return ""
    if has_known_layout(url):
        experiment = EmbeddedRegistry(url).experiment(run_id)
    else:
        with mlflow_at(url) as client:
            experiment = client.get_run(run_id).info.experiment_id
    run = f"{shown(pages).rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"
    return f"{run}/artifacts/{quote(name)}" if experiment else ""


def finish(url: str, run_id: str, name: str, tags: Mapping[str, str], metrics: Mapping[str, float]) -> None:
    """Finish a run.

    Args:
        url: MLflow's address.
        run_id: The run.
        name: The run's name, which says how it ended.
        tags: Tags to set.
        metrics: Metrics to log.
    """
    with mlflow_at(url) as client:
        log_batches(client, run_id, as_metrics([(0, metrics)]), tags=as_tags(tags))
        client.update_run(run_id, name=visible(name))
        client.set_terminated(run_id)


def close(url: str, run_id: str, tags: Mapping[str, str]) -> None:
    """End a run as KILLED that decides nothing.

    Args:
        url: MLflow's address.
        run_id: The run.
        tags: Tags that say why.
    """
    with mlflow_at(url) as client:
        log_batches(client, run_id, tags=as_tags(tags))
        client.set_terminated(run_id, "KILLED")


def close_abandoned(url: str, experiment: str, store: str, why: Mapping[str, str]) -> list[str]:
    """End runs on this store as KILLED whose processes died.

    Args:
        url: MLflow's address.
        experiment: The experiment's name.
        store: The address of the store.
        why: Tags that say why.

    Returns:
        The ids of the runs.
    """
    with mlflow_at(url) as client:
        runs = client.search_runs([ensure_experiment(client, url, experiment)], "attributes.status = 'RUNNING'")
    dead = [run for run in runs if run.data.params.get("store.url") == store and not _lives(run)]
    run_ids = [str(run.info.run_id) for run in dead]
    for run_id in run_ids:
        close(url, run_id, why)
    return run_ids


def _lives(run: "Run") -> bool:
    """Tell whether the process that opened a run still works, as far as can be known."""
    owner = run.data.tags.get(OWNER)
    return owner is not None and is_alive(owner)
