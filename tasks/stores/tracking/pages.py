"""Addresses of the pages on which MLflow shows runs and their files."""

from urllib.parse import quote

from configs.environment import mlflow_pages
from configs.visible_text import shown
from tasks.stores.tracking.client import mlflow_at
from tasks.stores.tracking.database import has_known_layout
from tasks.stores.tracking.embedded_registry import EmbeddedRegistry


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
    route = run_route(url, run_id)
    return f"{shown(pages).rstrip('/')}/{route}/artifacts/{quote(name)}" if route else ""


def run_route(url: str, run_id: str) -> str:
    """Return where a run's page is within MLflow's pages; empty where an embedded database has no such run.

    Args:
        url: MLflow's address.
        run_id: The run.

    Returns:
        The part of the address from ``#`` on, which a link in MLflow's own texts needs.
    """
    if has_known_layout(url):
        experiment = EmbeddedRegistry(url).experiment(run_id)
    else:
        with mlflow_at(url) as client:
            experiment = client.get_run(run_id).info.experiment_id
    return f"#/experiments/{experiment}/runs/{run_id}" if experiment else ""
