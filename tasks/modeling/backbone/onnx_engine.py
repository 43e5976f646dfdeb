"""ONNX Runtime as the engine of a backbone: it computes a graph that TensorFlow exported once, without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of_bytes

if TYPE_CHECKING:
    import onnxruntime

# ONNX Runtime's own word for the errors that are worth a line.
_ERRORS = 3


@dataclass(frozen=True)
class OnnxEngine:
    """An ONNX graph that computes features.

    Attributes:
        graph: The graph as a file, from bytes (1, size, size, 3) to features (1, width).
        weights: The hash of the weights that it was exported from.
    """

    graph: bytes
    weights: str

    @property
    def width(self) -> int:
        """Return the number of features of a picture."""
        return int(self._session.get_outputs()[0].shape[1])

    @cached_property
    def facts(self) -> Mapping[str, str]:
        """Return what of the graph and of ONNX Runtime decides the features' bits."""
        return {"weights": self.weights, "engine": describe_onnxruntime(), "graph": sha256_of_bytes(self.graph)}

    def embed(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the features of a picture.

        Args:
            square: The picture's pixels, of shape (size, size, 3); several threads may each bring one.

        Returns:
            The features, of shape (width,).
        """
        features: NDArray[np.float32] = self._session.run(None, {self._input: square[None]})[0][0]
        return features

    @property
    def batch(self) -> int:
        """Return the number of pictures of one call, which the graph fixes."""
        return 1

    def embed_batch(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the features of pictures, one call each.

        Args:
            squares: The pictures' pixels, of shape (n_squares, size, size, 3).

        Returns:
            The features, of shape (n_squares, width).
        """
        return np.stack([self.embed(square) for square in squares])

    def to_bytes(self) -> bytes:
        """Return the graph as one file."""
        return self.graph

    @cached_property
    def _session(self) -> "onnxruntime.InferenceSession":
        """Load the graph; how it is optimised depends on version and processor, and each machine proves its bits."""
        check_installed()
        import onnxruntime as runtime

        options = runtime.SessionOptions()
        # Cores work on different pictures: with one thread an operation a result does not depend on their number.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = _ERRORS
        return runtime.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])

    @cached_property
    def _input(self) -> str:
        return str(self._session.get_inputs()[0].name)


def check_installed(module: str = "onnxruntime") -> None:
    """Check, without importing it, that a module of the extra is installed.

    Args:
        module: onnxruntime, which computes, or onnx, which writes what it computes with.

    Raises:
        PedigreeError: It is not; the sentence names the command that installs it.
    """
    if find_spec(module) is None:
        raise PedigreeError(
            f"The module {module} is not installed, which a backbone of backbone.engine onnxruntime needs: "
            "pip install 'pedigree[onnxruntime]', or set backbone.engine to tensorflow."
        )


def describe_onnxruntime() -> str:
    """Return what decides bits beside graph and machine, which are named elsewhere: version and optimisation."""
    check_installed()
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__} optimization=all"
