"""What follows where the champion cannot be measured."""

from configs.errors import Inaccessible, Outage, Problem
from configs.sections import Gate


def excused(problem: Problem, version: str, gate: Gate) -> str:
    """Say why a champion cannot be measured; raise Problem where the settings do not allow to judge without it.

    An outage, or what this machine may not read, says nothing about the champion: it is raised as it is.
    """
    if isinstance(problem, Outage | Inaccessible):
        raise problem
    reason = str(problem).rstrip(".")
    if gate.when_champion_fails == "absolute":
        return reason
    message = (
        f"The champion, model version {version}, no longer loads ({reason}): put it back from a copy of the store,"
    )
    raise Problem(f"{message} or set gate.when_champion_fails to absolute to judge without it.") from problem
