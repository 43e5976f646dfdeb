"""The saved view of MLflow's table of runs: which columns stand there, and in which order."""

import json
import time

from tasks.domain.glance import COLUMNS

#: The view's place in an address: ``#/experiments/1/runs?viewStateShareKey=pedigree-nights``.
VIEW = "pedigree-nights"


def saved_view() -> dict[str, str]:
    """Write the tag by which an experiment has the view *Nights*, as MLflow's own pages write and read it since 3.17.

    Older pages pass over it.
    """
    state = {
        "selectedColumns": list(COLUMNS),
        "columnOrder": list(COLUMNS),
        "columnWidths": {"tags.`pedigree.reason`": 400},
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
    }
    view = {"name": "Nights", "createdAt": int(time.time() * 1000), "state": json.dumps(state)}
    return {f"mlflow.sharedViewState.{VIEW}": json.dumps(view)}
