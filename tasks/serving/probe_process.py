"""A registered model as other people meet it: loaded from MLflow in a process that knows nothing of this one."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from configs.credentials import set_mlflow_login
from configs.errors import PedigreeError

_PROGRAM = Path(__file__).with_name("probe.py")
# A model that takes so many seconds to load and to answer a few images is of no use to anybody.
_PATIENCE = 600


class ServingProbe:
    """A process that knows nothing of this one, and has loaded what every model needs before it is asked."""

    def __init__(self, url: str, engine: str) -> None:
        """Say where its MLflow is, and which engine the model will need; nothing is started yet."""
        self._url, self._engine = url, engine
        self._folder = TemporaryDirectory(ignore_cleanup_errors=True)
        self._waiting: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Let the process start, and load while others work."""
        self._waiting = self._started()
        return self

    def __exit__(self, *_error: object) -> None:
        """End the process, if nobody asked it."""
        if self._waiting:
            _end(self._waiting)
        self._folder.cleanup()

    def ask(self, model: str, version: str, images: Sequence[bytes]) -> list[Mapping[str, Any]]:
        """Load a version by its address and return its answers.

        Args:
            model: The registered model's name.
            version: The version.
            images: The files' bytes, pictures or not.

        Returns:
            One row an image, in the order asked: label, probability, sure, probabilities by class, and problem.

        Raises:
            PedigreeError: The model does not load or does not answer; the reason in a few words.
        """
        process, self._waiting = self._waiting or self._started(), None
        with TemporaryDirectory() as folder:
            questions, answers = Path(folder) / "questions", Path(folder) / "answers.json"
            questions.mkdir()
            for number, data in enumerate(images):
                (questions / f"{number:06}").write_bytes(data)
            _wait(process, json.dumps([f"models:/{model}/{version}", str(questions), str(answers)]))
            predictions: list[Mapping[str, Any]] = json.loads(answers.read_text(encoding="utf-8"))
            return predictions

    def _started(self) -> subprocess.Popen[str]:
        """Start it with neither our import path nor our folder; MLflow's credentials it finds in the environment."""
        set_mlflow_login(self._url)
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", str(_PROGRAM), self._engine],
            cwd=self._folder.name,
            env={**os.environ, "MLFLOW_TRACKING_URI": self._url, "MLFLOW_REGISTRY_URI": self._url},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


def _wait(process: subprocess.Popen[str], question: str) -> None:
    try:
        _, complaint = process.communicate(f"{question}\n", timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        _end(process)
        raise PedigreeError(f"no answer within {_PATIENCE // 60} minutes") from None
    if process.returncode < 0:
        raise PedigreeError(f"its process was ended by signal {-process.returncode}")
    if process.returncode:
        raise PedigreeError(complaint.strip().rpartition("\n")[2].strip().rstrip(".") or "its process failed")


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
