"""The pace of long work: how fast it goes, how long it will take, and what it waits for."""

from collections.abc import Mapping

# Seconds of work before a pace is told: the first images wait for what is loaded once.
_SETTLED = 2.0
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def describe_pace(done: int, total: int, whole: str, elapsed: float, seconds: Mapping[str, float]) -> str:
    """Describe in one line how far work has come.

    Args:
        done: Items that are done.
        total: Items in all.
        whole: The same in words, such as ``10,000 images``.
        elapsed: Seconds since the work began.
        seconds: The seconds that threads have spent on each stage, by its name; empty where nobody measured them.

    Returns:
        The line.
    """
    parts = [f"{done:,} of {whole}"]
    if done and elapsed >= _SETTLED:
        rate = done / elapsed
        parts.append(f"{rate:,.1f} a second")
        if done < total:
            parts.append(f"{describe_duration((total - done) / rate)} left")
    if shares := describe_stages(seconds):
        parts.append(shares)
    return ", ".join(parts)


def describe_stages(seconds: Mapping[str, float]) -> str:
    """Describe what threads spent their time on, the slowest stage first.

    Args:
        seconds: Seconds by stage.

    Returns:
        The shares, such as ``network 92%, decoder 6%, bucket 2%``; empty where nothing was measured.
    """
    total = sum(seconds.values())
    if not total:
        return ""
    slowest_first = sorted(seconds.items(), key=lambda stage: -stage[1])
    return "time spent: " + ", ".join(f"{name} {share / total:.0%}" for name, share in slowest_first)


def describe_duration(seconds: float) -> str:
    """Return a duration as a person says it: 40 s, 12 min, 3 h 20 min, or 2 days 4 h."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{seconds // _DAY:.0f} days {seconds % _DAY // _HOUR:.0f} h"
