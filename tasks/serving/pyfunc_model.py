"""What MLflow runs to serve a model: photographs in, classes out, through training's own pixel function."""

import base64
import json
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import scoring_server
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from PIL import Image

_LOG = logging.getLogger(__name__)
_MEGABYTE, _MEGAPIXEL = 2**20, 10**6
_SHOWN_LETTERS = 500
_Invocations = Callable[..., scoring_server.InvocationsResponse]


class TooMuchError(Exception):
    """A request that asks for more than this server answers at once."""


class Classifier(PythonModel):
    """Answer a table with a column ``image`` of file bytes (base64 over REST) with one row of classes an image.

    Where MLflow serves it to others, ``model_config`` in the packaged MLmodel bounds each request; whoever runs the
    server sets other bounds by MLflow's variable SERVING_MODEL_CONFIG. In a program of one's own nothing is bounded
    but each picture, by training's limits.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the packaged model, whose files MLflow keeps in one folder; TensorFlow is imported here."""
        from tasks.modeling.packaged_model import Predictor

        self._predictor = Predictor.load(Path(context.artifacts["model.json"]).parent)
        self._bounds: Mapping[str, int] = context.model_config or {}
        limits = self._predictor.limits
        most = min(limits.max_pixels, self._bounds["max_megapixels"] * _MEGAPIXEL)
        self._bounded = replace(self._predictor, limits=replace(limits, max_pixels=most))
        scoring_server.invocations = _bounded_invocations(scoring_server.invocations, self._bounds["max_megabytes"])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Predict each image on its own.

        Args:
            context: MLflow's; what it holds was loaded already.
            model_input: A table with a column ``image`` of file bytes, or of their base64.
            params: Unused.

        Returns:
            One row an image, in the same order; one that cannot be used has no label and says why under ``problem``.

        Raises:
            TooMuchError: A server is asked for more than it answers in one request.
        """
        del context, params
        served = os.environ.get("_MLFLOW_IS_IN_SERVING_ENVIRONMENT") == "true"
        images = [_decode_base64(data) for data in model_input["image"]]
        if served:
            self._check(images)
        predictions = (self._bounded if served else self._predictor).predict(images)
        return pd.DataFrame([asdict(prediction) for prediction in predictions], dtype=object)

    def _check(self, images: Sequence[bytes]) -> None:
        """Refuse what would hold the server up, before a single picture is decoded."""
        rows, megapixels = self._bounds["max_rows"], self._bounds["max_request_megapixels"]
        if len(images) > rows:
            raise TooMuchError(f"{len(images):,} rows, at most {rows:,} are answered in one request")
        sizes = [size for size in map(_count_pixels, images) if size <= self._bounded.limits.max_pixels]
        if sum(sizes) > megapixels * _MEGAPIXEL:
            raise TooMuchError(
                f"{sum(sizes):,} pixels in all, at most {megapixels} million are decoded for one request"
            )


def _count_pixels(data: bytes) -> int:
    """Read from a picture's header how large it is; what is no picture will be refused on its own."""
    from tasks.domain.images.preprocessing import FORMATS

    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            return picture.width * picture.height
    except Exception:  # noqa: BLE001 - a decoder may raise anything on hostile bytes
        return 0


def _decode_base64(data: bytes) -> bytes:
    """Undo the base64 that MLflow leaves in a request's ``inputs``; no picture consists of its letters alone."""
    if re.fullmatch(rb"[A-Za-z0-9+/=\s]+", data):
        with suppress(ValueError):
            return base64.b64decode(data)
    return data


def _bounded_invocations(answer: _Invocations, megabytes: int) -> _Invocations:
    """Wrap MLflow's own answering: bodies are bounded, and errors tell neither tracebacks nor where files lie."""

    def invocations(data: bytes, *arguments: object) -> scoring_server.InvocationsResponse:
        if len(data) > megabytes * _MEGABYTE:
            return _refuse(413, f"{len(data):,} bytes, at most {megabytes} MB are read in one request")
        try:
            return answer(data, *arguments)
        except RecursionError:
            return _refuse(400, "the request is nested too deeply")
        except MlflowException as error:
            return _error_response(error)
        except Exception:  # noqa: BLE001 - what is wrong with a request is told, not where it was noticed
            _LOG.exception("a request could not be read")
            return _refuse(400, "the request cannot be read")

    return invocations


def _error_response(error: MlflowException) -> scoring_server.InvocationsResponse:
    """Say what MLflow says of a request, without the traceback, which goes to the server's log."""
    too_much = error.__context__
    if isinstance(too_much, TooMuchError):
        return _refuse(413, str(too_much))
    _LOG.error("a request could not be answered", exc_info=error)
    status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
    return _refuse(status, error.message[:_SHOWN_LETTERS])


def _refuse(status: int, message: str) -> scoring_server.InvocationsResponse:
    body = json.dumps({"error_code": "BAD_REQUEST", "message": message})
    return scoring_server.InvocationsResponse(body, status, "application/json")


set_model(Classifier())
