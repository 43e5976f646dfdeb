"""The same numbers twice: TensorFlow's switches, thrown once a process, and work shared among threads in order."""

import os
import platform
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import TypeVar

from configs.errors import PedigreeError

T = TypeVar("T")
R = TypeVar("R")

SEED = 0
_LIBRARIES = ("keras", "numpy", "scipy", "pillow")
# The families that TensorFlow and NumPy have kernels of their own for.
_INSTRUCTIONS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")
# So many items a thread are on their way: enough to keep it busy, few enough to bound memory.
_AHEAD = 4


@cache
def configure_tensorflow() -> None:
    """Fix threads, kernels and the choice of algorithms; every module here calls this before it uses TensorFlow.

    One thread an operation makes a result independent of how many cores the machine has; the cores work on different
    images, and on different operations of one graph, instead.
    """
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_stderr():
        # The switches above are read when these are imported.
        import keras
        import tensorflow as tf

    _check_kernels()
    # A person's keras.json may say otherwise.
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(count_cores())
    # Each core can be a device of its own in fine-tuning; this must be said before TensorFlow computes anything.
    logical = [tf.config.LogicalDeviceConfiguration()] * count_cores()
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
    tf.config.experimental.enable_op_determinism()


def _check_kernels() -> None:
    """Raise PedigreeError where TensorFlow was imported before its kernels could be chosen, and took others."""
    from tensorflow.python.util import _pywrap_util_port as port

    if platform.machine() in {"x86_64", "AMD64"} and not port.IsMklEnabled():
        message = "TensorFlow was imported before Pedigree could choose its kernels, and would compute other bits"
        raise PedigreeError(f"{message}: set TF_ENABLE_ONEDNN_OPTS=1 before the program starts.")


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Keep TensorFlow's start-up lines, which no switch turns off, from the user's terminal."""
    saved_stderr = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved_stderr, 2)
            os.close(saved_stderr)


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_parallel(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the function's results in order, computed in as many threads as there are cores, a few items ahead.

    Args:
        function: Called once an item, by several threads at once.
        items: Taken from as the results are asked for.

    Yields:
        One result an item, in the items' order.
    """
    workers, waiting = count_cores(), iter(items)
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[R]] = deque(pool.submit(function, item) for item in islice(waiting, workers * _AHEAD))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(function, item) for item in islice(waiting, 1))


def describe_engine() -> str:
    """Name what computes features, with its version: another one gives other bits."""
    configure_tensorflow()
    import tensorflow as tf

    return f"tensorflow {tf.__version__} onednn=1"


def describe_machine() -> dict[str, str]:
    """Name processor, cores, threads and the versions of what computes."""
    configure_tensorflow()
    import tensorflow as tf

    model, flags = _processor()
    return {
        "cpu": model,
        "instructions": " ".join(name for name in _INSTRUCTIONS if name in flags),
        "cores": str(count_cores()),
        "threads": f"{tf.config.threading.get_intra_op_parallelism_threads()} an operation",
        "onednn": _kernels(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "tensorflow": str(tf.__version__),
        **{name: metadata.version(name) for name in _LIBRARIES},
    }


def _kernels() -> str:
    """Say whether somebody holds oneDNN to older instructions than the processor has, which gives other bits."""
    held = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA")
    return f"on, held to {held}" if held else "on"


def _processor() -> tuple[str, frozenset[str]]:
    """Read the processor's name and its instructions where Linux tells them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown", frozenset()
    lines = dict(line.split(":", 1) for line in reversed(text.splitlines()) if ":" in line)
    facts = {name.strip(): value.strip() for name, value in lines.items()}
    return facts.get("model name", platform.machine()), frozenset(facts.get("flags", facts.get("Features", "")).split())
