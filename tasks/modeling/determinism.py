"""The same numbers twice: TensorFlow's switches, thrown once a process before anything is computed."""

import os
from functools import cache

SEED = 0


@cache
def settle() -> None:
    """Fix threads, kernels and the choice of algorithms; every module here calls this before it uses TensorFlow.

    One thread an operation makes a result independent of how many cores the machine has; the cores work on different
    images, and on different operations of one graph, instead.
    """
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf  # noqa: PLC0415  - the switches above are read when it is imported

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(cores())
    tf.config.experimental.enable_op_determinism()


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def engine() -> str:
    """Name what computes features, with its version: another one gives other bits."""
    settle()
    import tensorflow as tf  # noqa: PLC0415

    return f"tensorflow {tf.__version__} onednn=1"
