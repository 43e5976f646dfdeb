"""The saved view of MLflow's table of runs: which columns stand there, and in which order."""

import json
import time

from tasks.domain.runs.mlflow_summary import COLUMNS

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
