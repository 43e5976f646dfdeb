"""The page about live agreement: how a challenger would have answered live photographs, beside the champion."""

from collections.abc import Mapping
from typing import Any, Protocol

from tasks.reports.pages.template import render


class Comparison(Protocol):
    """What the page needs of a comparison."""

    def to_dict(self, champion: Mapping[str, Any], challenger: Mapping[str, Any]) -> dict[str, Any]:
        """Return it as JSON can hold it.

        Args:
            champion: Names the champion.
            challenger: Names the challenger.

        Returns:
            The counts, by class too, and the photographs on which the two differ.
        """


def render_live_agreement(
    comparison: Comparison, champion: Mapping[str, Any], challenger: Mapping[str, Any], share: float
) -> str:
    """Render the page; it names photographs by their hashes, and holds none of them.

    Args:
        comparison: The answers of both models.
        champion: Names the champion.
        challenger: Names the challenger.
        share: The share of photographs that the challenger sees.

    Returns:
        The page as HTML.
    """
    plain = comparison.to_dict(champion, challenger)
    differing = [part for part in plain["classes"] if part["agreed"] < part["answers"]]
    differing.sort(key=lambda part: (part["agreed"] - part["answers"], part["label"]))
    agreeing = [part["label"] for part in plain["classes"] if part["agreed"] == part["answers"]]
    return render("live-agreement.html.j2", shadow=plain, share=share, differing=differing, agreeing=agreeing)
