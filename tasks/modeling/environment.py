"""The machine that trains: what may give other bits on another one."""

import os
import platform
from importlib import metadata
from pathlib import Path

from tasks.modeling.determinism import configure_tensorflow, cores

_LIBRARIES = ("keras", "numpy", "scipy", "pillow")
# The families that TensorFlow and NumPy have kernels of their own for.
_INSTRUCTIONS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")


def machine() -> dict[str, str]:
    """Name processor, cores, threads and the versions of what computes."""
    configure_tensorflow()
    import tensorflow as tf

    model, flags = _processor()
    return {
        "cpu": model,
        "instructions": " ".join(name for name in _INSTRUCTIONS if name in flags),
        "cores": str(cores()),
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
