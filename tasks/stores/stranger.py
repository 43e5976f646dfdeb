"""A registered model as other people meet it: loaded from MLflow in a process that knows nothing of this one."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from configs.problems import Problem

_PROGRAM = Path(__file__).parents[2] / "infra" / "service" / "stranger.py"
# A model that takes so many seconds to load and to answer a few images is of no use to anybody.
_PATIENCE = 600


def ask(url: str, model: str, version: str, images: Sequence[bytes]) -> list[Mapping[str, Any]]:
    """Load a version by its address and return its answers, one row an image in the order asked.

    The process gets neither this one's import path nor its folder; MLflow's credentials it finds in the environment.
    Raises Problem, in a few words, where the model does not load or does not answer.
    """
    with TemporaryDirectory() as place:
        questions, answers = Path(place) / "questions", Path(place) / "answers.json"
        questions.mkdir()
        for number, data in enumerate(images):
            (questions / f"{number:06}").write_bytes(data)
        _run([f"models:/{model}/{version}", str(questions), str(answers)], url, place)
        found: list[Mapping[str, Any]] = json.loads(answers.read_text(encoding="utf-8"))
        return found


def _run(arguments: Sequence[str], url: str, folder: str) -> None:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": url, "MLFLOW_REGISTRY_URI": url}
    command = [sys.executable, "-I", str(_PROGRAM), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise Problem(f"no answer within {_PATIENCE // 60} minutes") from None
    if done.returncode < 0:
        raise Problem(f"its process was ended by signal {-done.returncode}")
    if done.returncode:
        raise Problem(done.stderr.strip().rpartition("\n")[2].strip().rstrip(".") or "its process failed")
