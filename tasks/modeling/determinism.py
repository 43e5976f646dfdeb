"""Determinism: TensorFlow configured for the same bits everywhere, parallel work in order, and the machine's facts."""

import gc
import os
import platform
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.abc import MetaPathFinder
from itertools import islice
from pathlib import Path
from threading import get_ident
from typing import Any, TypeVar

from configs.cores import count_cores
from configs.errors import PedigreeError

T = TypeVar("T")
R = TypeVar("R")

SEED = 0
_LIBRARIES = ("keras", "numpy", "scipy", "pillow")
# The instruction sets for which TensorFlow and NumPy have kernels of their own.
_INSTRUCTIONS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")
# The items in progress for each thread: enough to keep it busy, few enough to bound memory.
_AHEAD = 4


@cache
def configure_tensorflow() -> None:
    """Configure threads, kernels and algorithms; every module here calls this before it uses TensorFlow.

    With one thread an operation a result does not depend on the number of cores. Cores work on different images
    instead, and on different operations of one graph.
    """
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_stderr(), _absent("matplotlib", "sklearn"), _without_collection():
        # These read the environment variables above when they are imported.
        import keras
        import tensorflow as tf

    _check_kernels()
    # A keras.json in the home folder may set others.
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(count_cores())
    # Each core can be a device of its own in fine-tuning, which must be configured before TensorFlow computes anything.
    logical = [tf.config.LogicalDeviceConfiguration()] * count_cores()
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
    tf.config.experimental.enable_op_determinism()
    # On a card, float32 would otherwise mean products of 10 bits.
    tf.config.experimental.enable_tensor_float_32_execution(False)  # noqa: FBT003 - TensorFlow's own parameter
    for card in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(card, enable=True)


def _check_kernels() -> None:
    """Check that TensorFlow uses the kernels that were chosen.

    Raises:
        PedigreeError: TensorFlow was imported before, and chose others.
    """
    from tensorflow.python.util import _pywrap_util_port as port

    if platform.machine() in {"x86_64", "AMD64"} and not port.IsMklEnabled():
        message = "TensorFlow was imported before Pedigree could choose its kernels, and would compute other bits"
        raise PedigreeError(f"{message}: set TF_ENABLE_ONEDNN_OPTS=1 before the program starts.")


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Suppress TensorFlow's start-up lines, which no option turns off."""
    saved_stderr = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved_stderr, 2)
            os.close(saved_stderr)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Import without looks for garbage, of which there is none: they would take a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _absent(*libraries: str) -> Iterator[None]:
    """Let this thread import what does without some libraries as if they were not installed.

    Keras imports Matplotlib and scikit-learn where they are installed, for wrappers and plots that Pedigree does not
    use. That takes a third of the time in which TensorFlow and Keras are imported. Later imports find the libraries as
    usual, and so do other threads.
    """
    finder = _AbsentFinder(libraries, get_ident())
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@dataclass(frozen=True)
class _AbsentFinder(MetaPathFinder):
    """Finds no library of these names for one thread."""

    libraries: tuple[str, ...]
    thread: int

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        if fullname in self.libraries and get_ident() == self.thread:
            message = f"No module named {fullname!r}"
            raise ModuleNotFoundError(message, name=fullname)


def map_in_parallel(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Compute a function of each item in as many threads as there are cores, a few items ahead.

    Args:
        function: The function, which several threads call at once.
        items: The items, which are read as results are consumed.

    Yields:
        The result of each item, in order.
    """
    workers, waiting = count_cores(), iter(items)
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[R]] = deque(pool.submit(function, item) for item in islice(waiting, workers * _AHEAD))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(function, item) for item in islice(waiting, 1))


def describe_engine() -> str:
    """Return name, version and device of what computes features; another one gives other bits."""
    configure_tensorflow()
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    if not cards:
        return f"tensorflow {tf.__version__} onednn=1"
    details, build = tf.config.experimental.get_device_details(cards[0]), tf.sysconfig.get_build_info()
    return f"tensorflow {tf.__version__} {describe_card(details, build)}"


def describe_card(details: Mapping[str, Any], build: Mapping[str, Any]) -> str:
    """Describe a graphics card by all that decides its bits.

    Args:
        details: What TensorFlow says of the card.
        build: What TensorFlow says of the libraries that it was built for.

    Returns:
        Its name, its generation, and the versions of CUDA and cuDNN.
    """
    generation = ".".join(map(str, details.get("compute_capability", ("unknown",))))
    libraries = " ".join(f"{name}={build.get(f'{name}_version', 'unknown')}" for name in ("cuda", "cudnn"))
    return f"gpu={details.get('device_name', 'unknown')} {generation} {libraries}"


def count_cards() -> int:
    """Return the number of graphics cards that TensorFlow can use here."""
    configure_tensorflow()
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def describe_machine(engine: str = "tensorflow") -> dict[str, str]:
    """Describe what may change the bits of a model; TensorFlow is not imported for it.

    Args:
        engine: What computes features: tensorflow or onnxruntime.

    Returns:
        Processor, cores, threads, and the versions of the libraries that compute.
    """
    model, flags = _processor()
    libraries = (*_LIBRARIES, engine) if engine == "onnxruntime" else _LIBRARIES
    return {
        "cpu": model,
        "instructions": _list_instructions(flags),
        "cores": str(count_cores()),
        "threads": "1 an operation",
        "onednn": _kernels(),
        "blas": _matrix_kernels(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "tensorflow": _tensorflow_version(),
        **{name: metadata.version(name) for name in libraries},
    }


def _tensorflow_version() -> str:
    """Return the version of TensorFlow, whichever of its builds is installed."""
    for build in ("tensorflow-cpu", "tensorflow"):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(build)
    return "not installed"


def describe_processor() -> tuple[str, str]:
    """Return the processor's name and the instruction sets that computing can use, without any library of it."""
    model, flags = _processor()
    held = _kernels().partition(", ")[2]
    return model, f"{_list_instructions(flags) or 'unknown instructions'}{held and ' '}{held}"


def _list_instructions(flags: frozenset[str]) -> str:
    return " ".join(name for name in _INSTRUCTIONS if name in flags)


def _kernels() -> str:
    """Return whether oneDNN is limited to older instructions than the processor has, which gives other bits."""
    held = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA")
    return f"on, held to {held}" if held else "on"


def _matrix_kernels() -> str:
    """Return the kernels by which NumPy multiplies matrices; OpenBLAS chooses them by the processor's generation."""
    from threadpoolctl import threadpool_info

    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    return ", ".join(sorted({f"{library['internal_api']} {library.get('architecture', '')}" for library in libraries}))


def _processor() -> tuple[str, frozenset[str]]:
    """Return the processor's name and its instructions, as far as the system reports them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown", frozenset()
    lines = dict(line.split(":", 1) for line in reversed(text.splitlines()) if ":" in line)
    facts = {name.strip(): value.strip() for name, value in lines.items()}
    return facts.get("model name", platform.machine()), frozenset(facts.get("flags", facts.get("Features", "")).split())
