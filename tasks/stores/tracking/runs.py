"""MLflow's runs: opened, filled with figures, tags and files, and closed."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from configs.visible_text import visible
from tasks.stores.files.leases import is_alive
from tasks.stores.tracking.batches import as_metrics, as_samples, as_tags, cleaned_tags, log_batches
from tasks.stores.tracking.client import NO_SUCH_RUN, mlflow_at
from tasks.stores.tracking.database import has_known_layout
from tasks.stores.tracking.embedded_registry import EmbeddedRegistry
from tasks.stores.tracking.experiments import ensure_experiment

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

#: The tag of a run that says which process opened it, as long as it works.
OWNER = "pedigree.owner"
#: The tag that is a run's name.
NAME = "mlflow.runName"


def start_run(
    url: str, experiment: str, parameters: Mapping[str, str], tags: Mapping[str, str], started: int | None = None
) -> str:
    """Start a run with its parameters and tags.

    Args:
        url: MLflow's address.
        experiment: The experiment's name.
        parameters: The parameters.
        tags: The tags.
        started: When the retraining began, in milliseconds since 1970, so that MLflow's duration is that of all of it.

    Returns:
        The run's id.
    """
    from mlflow.entities import Param

    with mlflow_at(url) as client:
        name = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        run = client.create_run(ensure_experiment(client, url, experiment), started, dict(tags), name)
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


def log_metrics(
    url: str,
    run_id: str,
    metrics: Mapping[str, float],
    tags: Mapping[str, str] | None = None,
    samples: Sequence[tuple[int, Mapping[str, float]]] = (),
) -> None:
    """Log final metrics, and with them tags and what was measured in the course of the run.

    Args:
        url: MLflow's address.
        run_id: The run.
        metrics: The metrics.
        tags: The tags.
        samples: When each sample was taken, in milliseconds since 1970, and its metrics.
    """
    with mlflow_at(url) as client:
        log_batches(client, run_id, [*as_metrics([(0, metrics)]), *as_samples(samples)], tags=as_tags(tags or {}))


def read_tags(url: str, run_id: str) -> dict[str, str]:
    """Read the tags of a run.

    Args:
        url: MLflow's address.
        run_id: The run.

    Returns:
        The texts by name; none where there is no such run.

    Raises:
        MlflowException: Any other failure, which ``mlflow_at`` turns into a PedigreeError.
    """
    if has_known_layout(url):
        return EmbeddedRegistry(url).run_tags(run_id)
    from mlflow.exceptions import MlflowException

    with mlflow_at(url) as client:
        try:
            return dict(client.get_run(run_id).data.tags)
        except MlflowException as error:
            if error.error_code not in NO_SUCH_RUN:
                raise
    return {}


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
    local = EmbeddedRegistry(url).run_folder(run_id) if has_known_layout(url) else None
    if local is not None:
        paths = [path for path in sorted((local / folder).glob("*")) if path.is_file()]
        return {path.relative_to(local).as_posix(): path.read_bytes() for path in paths}
    from mlflow.exceptions import MlflowException

    with mlflow_at(url) as client, TemporaryDirectory() as download_folder:
        try:
            names = [entry.path for entry in client.list_artifacts(run_id, folder) if not entry.is_dir]
        except MlflowException as error:
            if error.error_code not in NO_SUCH_RUN:
                raise
            return {}
        return {name: Path(client.download_artifacts(run_id, name, download_folder)).read_bytes() for name in names}


def finish(
    url: str,
    run_id: str,
    name: str,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    ended: int | None = None,
) -> None:
    """Finish a run.

    Args:
        url: MLflow's address.
        run_id: The run.
        name: The run's name, which says how it ended.
        tags: Tags to set.
        metrics: Metrics to log.
        ended: When it ended, in milliseconds since 1970; None means now.
    """
    with mlflow_at(url) as client:
        log_batches(client, run_id, as_metrics([(0, metrics)]), tags=as_tags({**tags, NAME: visible(name)}))
        client.set_terminated(run_id, end_time=ended)
        _release(client, run_id)


def _release(client: "MlflowClient", run_id: str) -> None:
    """Remove the tag that names the process at work, which a run that has ended may lack."""
    from mlflow.exceptions import MlflowException

    try:
        client.delete_tag(run_id, OWNER)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


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
