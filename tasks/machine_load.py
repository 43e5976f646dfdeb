"""The load of the machine, under the names of MLflow's system metrics."""

import resource
from collections import deque
from collections.abc import Mapping

_MEGABYTE = 10**6
# What the processors had done, idle and in all, at the last two measurements.
_processor_times: deque[tuple[float, float]] = deque(maxlen=2)


def measure_machine() -> Mapping[str, float]:
    """Measure how busy the processors were since the last call, and the memory in use.

    Returns:
        The metrics; a first call knows nothing of the processors.
    """
    import psutil

    times = psutil.cpu_times()
    _processor_times.append((times.idle + getattr(times, "iowait", 0.0), sum(times)))
    # On Linux in kilobytes, on macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if psutil.MACOS else 1024)
    metrics = {
        "system/system_memory_usage_megabytes": psutil.virtual_memory().used / _MEGABYTE,
        "system/process_peak_memory_megabytes": peak / _MEGABYTE,
    }
    idle, total = (last - first for first, last in zip(_processor_times[0], _processor_times[-1], strict=True))
    return metrics | ({"system/cpu_utilization_percentage": 100 * max(1 - idle / total, 0.0)} if total > 0 else {})
