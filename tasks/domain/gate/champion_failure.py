"""What follows where the champion cannot be measured."""

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from configs.sections import Gate


def excuse_champion_failure(error: PedigreeError, version: str, gate: Gate) -> str:
    """Say why a champion cannot be measured; raise PedigreeError where the settings do not allow to judge without it.

    An outage, or what this machine may not read, says nothing about the champion: it is raised as it is.
    """
    if isinstance(error, ServiceUnavailableError | InaccessibleError):
        raise error
    reason = str(error).rstrip(".")
    if gate.when_champion_fails == "absolute":
        return reason
    message = (
        f"The champion, model version {version}, no longer loads ({reason}): put it back from a copy of the store,"
    )
    raise PedigreeError(f"{message} or set gate.when_champion_fails to absolute to judge without it.") from error
