"""Python in a process of its own: what must be the same everywhere, or must work where something is missing."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.servers import ROOT


def run_alone(code: str, *, cores: int | None = None, environment: Mapping[str, str] | None = None) -> tuple[Any, str]:
    """Run code that prints one line of JSON; return what it says, and all that it wrote to the standard error."""
    pinned = f"import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{cores}])\n" if cores else ""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", pinned + code],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr
