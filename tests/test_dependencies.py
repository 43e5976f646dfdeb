"""What is imported is declared, what is declared is locked, and nothing that is installed takes our packages' names."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.servers import ROOT

ROOMS = ("configs", "flows", "infra", "tasks")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = [Requirement(text) for text in PROJECT["dependencies"]]
# Used where they are installed; without them a sentence says what is lacking.
EXTRAS = ("heic", "dask", "onnxruntime")
OPTIONAL = [Requirement(text) for extra in EXTRAS for text in PROJECT["optional-dependencies"][extra]]


def run_time_imports(tree: ast.AST) -> Iterator[str]:
    """Yield the top-level name of each import, also inside functions, but not of those for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
        yield from run_time_imports(node)


def test_what_is_imported_is_declared() -> None:
    """Each package that a module imports belongs to a distribution that pyproject.toml names."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    names = {name for path in files for name in run_time_imports(ast.parse(path.read_bytes()))}
    owners = packages_distributions()
    declared = {canonicalize_name(requirement.name) for requirement in [*DECLARED, *OPTIONAL]}
    missing = {
        name
        for name in names - sys.stdlib_module_names - set(ROOMS)
        if not declared & {canonicalize_name(owner) for owner in owners.get(name, [])}
    }
    assert missing == set()


def test_what_is_declared_is_locked_within_its_range() -> None:
    """Both lock files pin every dependency to a version that pyproject.toml allows."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / "infra" / name).read_text(encoding="utf-8")
        pins = dict(re.findall(r"^([a-z0-9-]+)(?:\[\S+\])?==([^\s;]+)", text, re.MULTILINE))
        for requirement in DECLARED:
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), (name, requirement)


def test_no_other_distribution_takes_the_name_of_one_of_our_packages() -> None:
    """A dependency that brought a package called tasks would hide ours, or be hidden by it."""
    owners = packages_distributions()
    assert {owner for room in ROOMS for owner in owners.get(room, [])} <= {PROJECT["name"]}


def test_no_index_takes_it() -> None:
    """Its packages have common names: published, it would break whoever has others of these names."""
    assert "Private :: Do Not Upload" in PROJECT["classifiers"]
