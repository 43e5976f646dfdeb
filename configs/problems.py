"""The errors that a person reads: one plain sentence each, with the exit code that goes with it."""


class Problem(Exception):
    """Say in one sentence what was wrong, where, and what to do; the command line prints it and exits with 1."""

    exit_code = 1


class SettingsProblem(Problem):
    """Say which argument or setting is wrong; the command line prints it and exits with 2."""

    exit_code = 2
