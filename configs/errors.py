"""Errors that a person reads: one plain sentence each, and the exit code of the command line."""

from configs.visible_text import visible


class PedigreeError(Exception):
    """An error that says in one sentence what is wrong, where, and what to do; the command line exits with 1."""

    exit_code = 1

    def __str__(self) -> str:
        """Return the sentence as one line; names of files and classes in it may hold control characters."""
        return visible(super().__str__())


class ServiceUnavailableError(PedigreeError):
    """A server does not answer or is too busy: trying again a minute later may help."""


class InaccessibleError(PedigreeError):
    """Access is denied or a format is not understood: a setting, a right or a newer version. The data may be fine."""


class UnlikeMachineError(PedigreeError):
    """A machine computes other bits than the one that began; on a cluster ``worker`` names it."""

    worker = ""


class SettingsError(PedigreeError):
    """An argument or a setting is wrong; the command line exits with 2."""

    exit_code = 2


class AmbiguousError(SettingsError):
    """The digits that name something fit several: the sentence names them."""
