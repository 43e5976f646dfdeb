"""A pager for long answers: at a terminal only, and never where somebody switched it off."""

import os
import shlex
import shutil
import subprocess
import sys

# less quits where all fits on one screen, shows colours, and leaves what was read on the screen.
_LESS = "FRX"


def page(text: str) -> bool:
    """Show a text that is longer than the screen in a pager: that of PAGER, or less.

    Args:
        text: The text, with the colours of a terminal.

    Returns:
        False where no pager was started, so that the text is still to be written.
    """
    command = choose_pager()
    if not command or text.count("\n") < shutil.get_terminal_size().lines:
        return False
    environment = {"LESS": _LESS, **os.environ}
    try:
        # Who reads has the keys: Ctrl-C and the end of the pager are the end of reading, and no failure.
        subprocess.run(command, input=text.encode(errors="backslashreplace"), env=environment, check=False)  # noqa: S603 - the user's own pager
    except KeyboardInterrupt:
        return True
    except OSError:
        return False
    return True


def choose_pager() -> list[str]:
    """Return the command of the pager; empty where nobody reads at a terminal, or wants none (PAGER=cat)."""
    if not (sys.stdout.isatty() and sys.stdin.isatty()) or os.environ.get("TERM") == "dumb":
        return []
    command = shlex.split(os.environ.get("PAGER", "less"))
    return command if command and command != ["cat"] and shutil.which(command[0]) else []
