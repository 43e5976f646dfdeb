"""The saved view of MLflow's table of runs: which columns stand there, and in which order."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from posixpath import normpath
from tempfile import TemporaryDirectory
from time import time_ns
from urllib.parse import quote

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from configs.environment import mlflow_pages
from configs.errors import PedigreeError
from configs.visible_text import shown, visible, visible_lines
from tasks.domain.runs.mlflow_summary import COLUMNS
from tasks.stores.files.leases import is_alive
from tasks.stores.tracking.client import (
    NO_SUCH_RUN,
    SQLITE,
    database_path,
    experiment_deleted,
    mlflow_at,
)

#: The view's place in an address: ``#/experiments/1/runs?viewStateShareKey=pedigree-nights``.
VIEW = "pedigree-nights"
# In pixels: what is a sentence, and what is a figure.
_NAME = "attributes.`Run Name`"
_WIDE = {_NAME: 290, "tags.`pedigree.outcome`": 130, "tags.`pedigree.reason`": 420}
_NARROW = 105


def saved_view() -> dict[str, str]:
    """Write the tag by which an experiment has the view *Nights*, as MLflow's own pages write and read it since 3.17.

    Older pages pass over it.
    """
    state = {
        "selectedColumns": list(COLUMNS),
        "columnOrder": [_NAME, *COLUMNS],  # Only what stands in an order is given a width.
        "columnWidths": dict.fromkeys(COLUMNS, _NARROW) | _WIDE,
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
    }
    view = {"name": "Nights", "createdAt": int(time.time() * 1000), "state": json.dumps(state)}
    return {f"mlflow.sharedViewState.{VIEW}": json.dumps(view)}


#: The tag of a run that says which process opened it.
OWNER = "pedigree.owner"
# MLflow takes a thousand things in a request, a hundred of them parameters and a hundred tags.
_METRICS_A_REQUEST, _OTHERS_A_REQUEST = 800, 100
_LONGEST_TAG = 5000


def start_run(url: str, experiment: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> str:
    """Open a run with its parameters and tags, and return its id."""
    with mlflow_at(url) as client:
        name = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        run = client.create_run(_experiment(client, url, experiment), tags=dict(tags), run_name=name)
        run_id = str(run.info.run_id)
        _log(client, run_id, params=[Param(key, value) for key, value in parameters.items()])
        return run_id


def find_open_run(url: str, experiment: str, tags: Mapping[str, str], flow_run: str = "") -> str | None:
    """Name a run with these tags that a night which died never closed, so that the next night carries it on.

    A run of a night that lives is nobody's to carry on, unless it is that of this very ``flow_run``.
    """
    conditions = ["attributes.status = 'RUNNING'", *(f"tags.`{key}` = '{value}'" for key, value in tags.items())]
    with mlflow_at(url) as client:
        runs = client.search_runs([_experiment(client, url, experiment)], " AND ".join(conditions))
    own_tags = {"pedigree.flow_run": flow_run or "none"}.items()
    unfinished = (run for run in runs if not _lives(run) or own_tags <= run.data.tags.items())
    return next((str(run.info.run_id) for run in unfinished), None)


def log_epochs(url: str, run_id: str, epochs: Sequence[tuple[int, Mapping[str, float]]]) -> None:
    """Write the figures of all epochs, hundreds a request."""
    with mlflow_at(url) as client:
        _log(client, run_id, _metrics(epochs))


def log_metrics(url: str, run_id: str, metrics: Mapping[str, float], tags: Mapping[str, str] | None = None) -> None:
    """Write final figures, and tags with them."""
    with mlflow_at(url) as client:
        _log(client, run_id, _metrics([(0, metrics)]), tags=_tags(tags or {}))


def tag(url: str, run_id: str, tags: Mapping[str, str]) -> None:
    """Write tags onto a run, in place of those of the same name."""
    with mlflow_at(url) as client:
        _log(client, run_id, tags=_tags(tags))


def log_dataset(url: str, run_id: str, dataset: str, source: str, images: int) -> None:
    """Name the dataset version as the run's input: its digest is the hash's first half, a tag holds all of it."""
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
    """Tell of each run which Prefect flow run made it, and its page; runs that MLflow does not hold are left out."""
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
    """Name the runs that a Prefect flow run made."""
    with mlflow_at(url) as client:
        condition = f"tags.`pedigree.flow_run` = '{flow_run}'"
        runs = client.search_runs([_experiment(client, url, experiment)], condition)
        return [str(run.info.run_id) for run in runs]


def check_experiment(url: str, experiment: str) -> None:
    """Raise PedigreeError where somebody deleted the experiment: MLflow takes no run of it until it is restored."""
    with mlflow_at(url) as client:
        _experiment(client, url, experiment)


def log_files(url: str, run_id: str, files: Mapping[str, bytes]) -> None:
    """Keep files with the run; a name such as ``dataset/card.json`` places one in a folder."""
    with mlflow_at(url) as client, TemporaryDirectory() as folder:
        for name, data in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        client.log_artifacts(run_id, folder)


def file_page(url: str, run_id: str, name: str) -> str:
    """Name the page that shows a file of a run; nothing where MLflow is a database that has no pages."""
    pages = mlflow_pages(url)
    if not pages:
        return ""
    with mlflow_at(url) as client:
        experiment = client.get_run(run_id).info.experiment_id
    return f"{shown(pages).rstrip('/')}/#/experiments/{experiment}/runs/{run_id}/artifacts/{quote(name)}"


def finish(url: str, run_id: str, name: str, tags: Mapping[str, str], metrics: Mapping[str, float]) -> None:
    """Close the run under the name that says how the night ended, with the tags and figures that say more."""
    with mlflow_at(url) as client:
        _log(client, run_id, _metrics([(0, metrics)]), tags=_tags(tags))
        client.update_run(run_id, name=visible(name))
        client.set_terminated(run_id)


def close(url: str, run_id: str, tags: Mapping[str, str]) -> None:
    """Close, as KILLED, a run that decides nothing, with tags that say why."""
    with mlflow_at(url) as client:
        _log(client, run_id, tags=_tags(tags))
        client.set_terminated(run_id, "KILLED")


def close_abandoned(url: str, experiment: str, store: str, why: Mapping[str, str]) -> list[str]:
    """Close, as KILLED, the runs that nights on this store opened and never closed, and return their ids.

    Runs of nights that live stay open.
    """
    with mlflow_at(url) as client:
        runs = client.search_runs([_experiment(client, url, experiment)], "attributes.status = 'RUNNING'")
    dead = [run for run in runs if run.data.params.get("store.url") == store and not _lives(run)]
    run_ids = [str(run.info.run_id) for run in dead]
    for run_id in run_ids:
        close(url, run_id, why)
    return run_ids


def metric_name(name: str) -> str:
    """Turn any text, such as ``recall/`` and a class, into a name that MLflow takes; different texts stay different."""
    if re.fullmatch(r"[\w.\- :][\w.\- :/]{0,249}", name) and normpath(f"/{name}") == f"/{name}":
        return name
    cleaned = "/".join(re.sub(r"[^\w\- :]", "_", part) or "_" for part in name.split("/"))
    return f"{cleaned[:240]}-{sha256(name.encode()).hexdigest()[:8]}"


def _lives(run: Run) -> bool:
    """Tell whether the process that opened a run still works, as far as can be known."""
    owner = run.data.tags.get(OWNER)
    return owner is not None and is_alive(owner)


def _metrics(epochs: Sequence[tuple[int, Mapping[str, float]]]) -> list[Metric]:
    timestamp = time_ns() // 10**6
    return [
        Metric(metric_name(name), float(value), timestamp, epoch)
        for epoch, figures in epochs
        for name, value in figures.items()
    ]


def _tags(tags: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(metric_name(name), visible_lines(value)[:_LONGEST_TAG]) for name, value in tags.items()]


def _log(
    client: MlflowClient,
    run_id: str,
    metrics: Sequence[Metric] = (),
    params: Sequence[Param] = (),
    tags: Sequence[RunTag] = (),
) -> None:
    """Write all of it in as few requests as MLflow allows."""
    while metrics or params or tags:
        many, few = _METRICS_A_REQUEST, _OTHERS_A_REQUEST
        client.log_batch(run_id, metrics[:many], params[:few], tags[:few])
        metrics, params, tags = metrics[many:], params[few:], tags[few:]


def _experiment(client: MlflowClient, url: str, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name, _artifacts(url), saved_view()))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return _experiment(client, url, name)
    if experiment.lifecycle_stage == "deleted":
        raise PedigreeError(f"{experiment_deleted(url, experiment)}; or name another one in tracking.experiment.")
    for key, value in saved_view().items():
        if key not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, key, value)
    return str(experiment.experiment_id)


def _artifacts(url: str) -> str | None:
    """Keep files beside an embedded database; left to itself, MLflow puts them into the current folder."""
    return (database_path(url).parent / "mlflow-artifacts").as_uri() if url.startswith(SQLITE) else None
