"""Percentages as people say them."""

_ALL = 100


def write_percent(probability: float) -> str:
    """Write a probability in whole percent: never as certain, and never as impossible."""
    percent = round(_ALL * probability)
    return "under 1%" if percent == 0 else "over 99%" if percent == _ALL else f"{percent}%"
