"""What MLflow runs to serve a model: photographs in, classes out, through training's own pixel function."""

import base64
import re
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class Classifier(PythonModel):
    """Answer a table with a column ``image`` of file bytes (base64 over REST) with one row of classes an image."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the packaged model, whose files MLflow keeps in one folder; TensorFlow is imported here."""
        from tasks.modeling.prediction import Predictor

        self._predictor = Predictor.load(Path(context.artifacts["model.json"]).parent)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Predict each image on its own; one that cannot be used has no label and says why under ``problem``."""
        del context, params
        found = self._predictor.predict([_decoded(data) for data in model_input["image"]])
        return pd.DataFrame([asdict(one) for one in found], dtype=object)


def _decoded(data: bytes) -> bytes:
    """Undo the base64 that MLflow leaves in a request's ``inputs``; no picture consists of its letters alone."""
    if re.fullmatch(rb"[A-Za-z0-9+/=\s]+", data):
        with suppress(ValueError):
            return base64.b64decode(data)
    return data


set_model(Classifier())
