"""Importing a module changes nothing in the process: a program of one's own can take any part of this one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import get_type_hints

from prefect import Flow

import flows
import tasks.domain
from tasks.step import Step
from tests.servers import ROOT, PrefectServer

# Imports what our modules import from elsewhere, then our modules, and prints what of the process that changed.
PROGRAM = """
import ast, gc, json, logging, os, signal, sys, warnings
from importlib import import_module
from pathlib import Path
import prefect.main

ROOT = Path(sys.argv[1])
OURS = ("configs", "tasks", "infra", "flows")
FILES = [path for room in OURS for path in sorted((ROOT / room).rglob("*.py"))]
# These are programs: they answer as soon as they are loaded.
FILES = [path for path in FILES if path.name not in ("pyfunc_model.py", "probe.py")]

def parts(body):
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module, [alias.name for alias in node.names]

def state():
    loggers = {name: it for name, it in logging.root.manager.loggerDict.items() if isinstance(it, logging.Logger)}
    parts = {f"logger {name}": (it.level, it.handlers[:], it.filters[:], it.propagate, it.disabled)
             for name, it in {**loggers, "root": logging.root}.items()}
    # What a collection freed says nothing; that some are frozen does.
    parts["gc"] = (gc.get_threshold(), gc.get_freeze_count() > 0, gc.isenabled())
    parts["warnings"] = warnings.filters[:]
    # Only hashes, since a failure prints them.
    parts["environment"] = {name: hash(value) for name, value in os.environ.items()}
    parts["signals"] = {name: signal.getsignal(name) for name in signal.valid_signals()}
    parts["folder"], parts["path"] = os.getcwd(), sys.path[:]
    return parts

for module, names in sorted({(m, tuple(n)) for f in FILES for m, n in parts(ast.parse(f.read_bytes()).body)}):
    if module.split(".")[0] not in OURS:
        for name in names:
            hasattr(import_module(module), name)
        import_module(module)
before = state()
for path in FILES:
    import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
after = state()
# A logger that is new belongs to a library that loads its parts late; it has no level and no handler of ours.
new = {name: (0, [], *now[2:]) for name, now in after.items() if name not in before}
changed = {name: repr((old, after[name])) for name, old in {**before, **new}.items() if old != after[name]}
print(json.dumps({"changed": changed, "modules": len(FILES)}))
"""

# Runs a flow as Prefect's engine does for a deployment, where nothing of the command line has set anything up.
DEPLOYED = """
import gc, json
from flows.rollback import rollback
state = rollback(store_url="", tracking_url="", why="", by="", return_state=True)
print(json.dumps({"state": state.name, "threshold": gc.get_threshold()[0], "frozen": gc.get_freeze_count() > 0}))
"""


def test_importing_every_module_changes_nothing_in_the_process(tmp_path: Path) -> None:
    """Neither the garbage collector nor loggers, warnings, signals or the environment are others afterwards."""
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", PROGRAM, str(ROOT)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["changed"] == {}
    assert answer["modules"] > 200


def test_a_run_sets_its_process_up_itself(prefect_server: PrefectServer, tmp_path: Path) -> None:
    """Where Prefect starts it, it is as at a terminal: a failure is told without a traceback."""
    assert prefect_server.api_url
    # Tests that ran a command here have silenced the console for all that is started afterwards.
    environment = {**os.environ, "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO"}
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", DEPLOYED], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"state": "Failed", "threshold": 50_000, "frozen": True}
    assert "Say who decides" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_types_of_steps_flows_and_values_are_there_at_run_time() -> None:
    """Prefect checks what a flow is given against its types, so a name that only a type checker knows ends the run."""
    typed = [*_defined_in(tasks, Step), *_defined_in(flows, Flow), *_defined_in(tasks.domain, type)]
    assert len(typed) > 200
    # The import of scipy.sparse takes longer than many a command.
    assert [message for message in map(_unresolved, typed) if message] == ["SliceMembership: csr_array"]


def _defined_in(room: ModuleType, kind: type) -> Iterator[object]:
    for module in walk_packages(room.__path__, f"{room.__name__}."):
        if module.name.rpartition(".")[2] not in {"pyfunc_model", "probe"}:
            values = [value for value in vars(import_module(module.name)).values() if isinstance(value, kind)]
            called = [getattr(value, "fn", value) for value in values]
            yield from (value for value in called if value.__module__ == module.name)


def _unresolved(value: object) -> str:
    try:
        get_type_hints(value)
    except NameError as error:
        return f"{getattr(value, '__name__', value)}: {error.name}"
    return ""
