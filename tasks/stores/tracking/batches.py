"""Figures, parameters and tags of a run as MLflow takes them, written in few requests."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from posixpath import normpath
from time import time_ns
from typing import TYPE_CHECKING

from configs.visible_text import visible_lines

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

# MLflow takes a thousand entries in a request, at most a hundred parameters and a hundred tags.
_METRICS_A_REQUEST, _OTHERS_A_REQUEST = 800, 100
_LONGEST_TAG = 5000


def metric_name(name: str) -> str:
    """Turn any text, such as ``recall/`` and a class, into a name that MLflow takes; different texts stay different."""
    if re.fullmatch(r"[\w.\- :][\w.\- :/]{0,249}", name) and normpath(f"/{name}") == f"/{name}":
        return name
    cleaned = "/".join(re.sub(r"[^\w\- :]", "_", part) or "_" for part in name.split("/"))
    return f"{cleaned[:240]}-{sha256(name.encode()).hexdigest()[:8]}"


def as_metrics(epochs: Sequence[tuple[int, Mapping[str, float]]]) -> "list[Metric]":
    """Return figures as MLflow's metrics.

    Args:
        epochs: The number and the figures of each epoch.

    Returns:
        The metrics, all of this moment.
    """
    from mlflow.entities import Metric

    timestamp = time_ns() // 10**6
    return [
        Metric(metric_name(name), float(value), timestamp, epoch)
        for epoch, figures in epochs
        for name, value in figures.items()
    ]


def as_samples(samples: Sequence[tuple[int, Mapping[str, float]]]) -> "list[Metric]":
    """Return what was measured in the course of a run as MLflow's metrics.

    Args:
        samples: When each sample was taken, in milliseconds since 1970, and its figures.

    Returns:
        The metrics, each at its own time.
    """
    from mlflow.entities import Metric

    return [
        Metric(metric_name(name), float(value), moment, number)
        for number, (moment, figures) in enumerate(samples)
        for name, value in figures.items()
    ]


def cleaned_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags under names and with texts that MLflow takes."""
    return {metric_name(name): visible_lines(value)[:_LONGEST_TAG] for name, value in tags.items()}


def as_tags(tags: Mapping[str, str]) -> "list[RunTag]":
    """Return tags as MLflow's, under names and with texts that it takes."""
    from mlflow.entities import RunTag

    return [RunTag(name, text) for name, text in cleaned_tags(tags).items()]


def log_batches(
    client: "MlflowClient",
    run_id: str,
    metrics: "Sequence[Metric]" = (),
    params: "Sequence[Param]" = (),
    tags: "Sequence[RunTag]" = (),
) -> None:
    """Write all of it in as few requests as MLflow allows.

    Args:
        client: MLflow's client.
        run_id: The run.
        metrics: Its figures.
        params: Its parameters.
        tags: Its tags.
    """
    while metrics or params or tags:
        many, few = _METRICS_A_REQUEST, _OTHERS_A_REQUEST
        client.log_batch(run_id, metrics[:many], params[:few], tags[:few])
        metrics, params, tags = metrics[many:], params[few:], tags[few:]
