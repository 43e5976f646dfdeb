"""Links to MLflow's pages in the artifacts of runs that took place before there were pages, as before ``pedigree up``.

Such a run names its MLflow run, which the stack's MLflow shows from now on: it has the home's database.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

from configs.credentials import mlflow_login, prefect_login
from infra.local_stack.health import ask

_KEYS = ["summary", "evaluation", "approval"]
_PAGES = {
    "the evaluation report": "evaluation/report.html",
    "the model card": "evaluation/model-card.html",
    "the data card, with pictures": "dataset/card.html",
}
# A run without links is named in code and not linked; one that has links has that of its report.
_NAMED = re.compile("MLflow run `([0-9a-f]{32})`")
_AT_ONCE = 50


def link_former_runs(home: Path, prefect: str, mlflow: str) -> int:
    """Add links to the artifacts of runs at a terminal that have none; each artifact is looked at once.

    Args:
        home: The home folder.
        prefect: The address of Prefect's API.
        mlflow: The address of MLflow's pages.

    Returns:
        How many artifacts were changed.
    """
    mark = home / "stack" / "linked-until"
    until = mark.read_text(encoding="utf-8") if mark.exists() else ""
    login, linked, newest = prefect_login(home, prefect), 0, until
    find_experiment = _experiments(home, mlflow)
    for artifact in _artifacts(prefect, login, until):
        newest = max(newest, artifact["created"])
        text = add_links(str(artifact["data"]), mlflow, find_experiment)
        if text != artifact["data"]:
            ask(f"{prefect}/artifacts/{artifact['id']}", login, {"data": text}, "PATCH")
            linked += 1
    mark.write_text(newest, encoding="utf-8")
    return linked


def add_links(text: str, mlflow: str, find_experiment: Callable[[str], str]) -> str:
    """Add links behind the MLflow run that an artifact names.

    Args:
        text: The artifact, in Markdown.
        mlflow: The address of MLflow's pages.
        find_experiment: Returns the experiment of an MLflow run; empty where MLflow does not know the run.

    Returns:
        The artifact; unchanged where it has links, or names no run that is known.
    """
    named = _NAMED.search(text)
    if not named or f"/runs/{named[1]}" in text or not (experiment := find_experiment(named[1])):
        return text
    run = f"{mlflow.rstrip('/')}/#/experiments/{experiment}/runs/{named[1]}"
    pages = ", ".join(f"[{name}]({run}/artifacts/{quote(path)})" for name, path in _PAGES.items())
    return text.replace(named[0], f"MLflow run [{named[1]}]({run}) ({pages})", 1)


def _artifacts(prefect: str, login: dict[str, str], until: str) -> Iterator[dict[str, Any]]:
    """List artifacts of runs at a terminal, the latest first, as far as they were not looked at before."""
    chosen = {
        "artifacts": {"key": {"any_": _KEYS}},
        "flow_runs": {"deployment_id": {"is_null_": True}},
        "sort": "CREATED_DESC",
    }
    offset = 0
    while page := ask(f"{prefect}/artifacts/filter", login, {**chosen, "limit": _AT_ONCE, "offset": offset}):
        for artifact in page:
            if artifact["created"] <= until:
                return
            yield artifact
        offset += len(page)


def _experiments(home: Path, mlflow: str) -> Callable[[str], str]:
    @cache
    def find_experiment(run: str) -> str:
        try:
            answer = ask(f"{mlflow}/api/2.0/mlflow/runs/get?run_id={run}", mlflow_login(home, mlflow))
        except HTTPError:
            return ""
        return str(answer["run"]["info"]["experiment_id"])

    return find_experiment
