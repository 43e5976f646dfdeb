"""The errors that a person reads: one plain sentence each, with the exit code that goes with it."""

from configs.visible_text import visible


class PedigreeError(Exception):
    """Say in one sentence what was wrong, where, and what to do; the command line prints it and exits with 1."""

    exit_code = 1

    def __str__(self) -> str:
        """Write the sentence as one line, whatever the names in it hold: strangers chose many of them."""
        return visible(super().__str__())


class ServiceUnavailableError(PedigreeError):
    """Say that a server does not answer or is too busy: what may be over a minute later, so that trying again helps."""


class InaccessibleError(PedigreeError):
    """Say that something is refused or not understood: by a setting, a right, a newer format. It may well be sound."""


class SettingsError(PedigreeError):
    """Say which argument or setting is wrong; the command line prints it and exits with 2."""

    exit_code = 2
