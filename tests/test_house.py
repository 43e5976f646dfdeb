"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT

_LONGEST, _FULLEST = 300, 14
_CODE = ("configs", "flows", "infra", "tasks")
# What several test files share; each says in its first line what it makes.
_HELPERS = {
    "flows/stored_runs.py",
    "infra/conftest.py",
    "infra/journey.py",
    "infra/running.py",
    "tasks/decisions.py",
    "tasks/domain/decisions.py",
    "tasks/domain/images/conftest.py",
    "tasks/domain/measurements.py",
    "tasks/domain/picture_hashes.py",
    "tasks/domain/pictures.py",
    "tasks/domain/tool_manifests.py",
    "tasks/decoding/hostile_worker.py",
    "tasks/lossy_sources.py",
    "tasks/modeling/conftest.py",
    "tasks/modeling/processes.py",
    "tasks/modeling/random_generators.py",
    "tasks/modeling/repeatable.py",
    "tasks/modeling/small_fine_tuning.py",
    "tasks/partial_runs.py",
    "tasks/reports/reports.py",
    "tasks/service/champions.py",
    "tasks/service/collecting/live.py",
    "tasks/service/conftest.py",
    "tasks/service/web/page/picture.py",
}
# Written in pieces, so that this file is not what it looks for.
_REGISTRIES = "|".join(
    ("pypi" + r"\.org", "pythonhosted" + r"\.org", "--" + "index-url", "--extra-" + "index", "--find-" + "links")
)
# A name that says which word of the sentence it stands for, and not what it is.
_PRONOUNS = set(
    "one found told said made seen some own ours theirs wanted place kept both asked known begun left what this that "  # noqa: SIM905
    "others each whole now then here there again".split()
)
_ARRAYS = re.compile("NDArray|Floats|Indices|Numbers|Arrays|Tensor|Array")
Function = ast.FunctionDef | ast.AsyncFunctionDef
_PRIVATE = "|".join((r"(?<![\w}.])/" + r"(?:work|root|home|Users)/\w", r"\.pyenv" + "/"))


def test_no_python_file_is_too_long_to_read() -> None:
    """A module has at most 300 lines; what grows beyond holds two things."""
    lengths = {path: len(text.splitlines()) for path, text in _tracked_texts() if path.suffix == ".py"}
    assert {path: lines for path, lines in lengths.items() if lines > _LONGEST} == {}


def test_no_file_names_a_registry_or_a_private_path() -> None:
    """Whoever installs decides where packages come from, and no file knows somebody's machine."""
    unwanted = re.compile(f"{_REGISTRIES}|{_PRIVATE}")
    unwanted_texts = [(path, match.group()) for path, text in _tracked_texts() if (match := unwanted.search(text))]
    assert unwanted_texts == []


def test_tests_stand_where_their_subject_stands() -> None:
    """A test file names a module or package of the code by its path, and an aspect where one file is not enough."""
    files = [path for folder in _CODE for path in (ROOT / "tests" / folder).rglob("*.py")]
    names = {path: path.relative_to(ROOT / "tests").as_posix() for path in files if path.name != "__init__.py"}
    assert sorted(name for path, name in names.items() if name not in _HELPERS and not _subject(path)) == []
    assert sorted(_HELPERS - set(names.values())) == []


def test_no_room_is_too_full() -> None:
    """A folder holds at most fourteen modules, so that its list of files is a table of contents."""
    modules = Counter(path.parent for path, _ in _code() if path.name != "__init__.py")
    assert {folder: number for folder, number in modules.items() if number > _FULLEST} == {}


@pytest.mark.parametrize("roots", [_CODE, ("tests",)], ids=["code", "tests"])
def test_names_are_nouns_of_the_field(roots: tuple[str, ...]) -> None:
    """Fewer than one bound name in a hundred is a pronoun or the like, which does not say what it names."""
    names = [name.strip("_") for _, tree in _code(roots) for name in _bound_names(tree)]
    pronouns = Counter(name for name in names if name in _PRONOUNS)
    assert pronouns.total() < 0.01 * len(names), pronouns


def test_docstrings_have_the_sections_of_their_signature() -> None:
    """Public functions with two parameters or more, or with arrays, document parameters, results and exceptions."""
    lacking = {
        f"{path}:{function.lineno} {function.name}": sections
        for path, tree in _code()
        for function in _public_functions(tree)
        if (sections := _expected_sections(function) - _sections(function))
    }
    assert lacking == {}


def _bound_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names of variables, parameters, functions, classes and imports as another name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, Function | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


def _public_functions(tree: ast.Module) -> Iterator[Function]:
    """Yield public functions and methods, but for commands: their docstrings are the text of --help."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    for node in [*tree.body, *(member for definition in classes for member in definition.body)]:
        if isinstance(node, Function) and not node.name.startswith("_"):
            decorators = " ".join(map(ast.unparse, node.decorator_list))
            if "command(" not in decorators and "overload" not in decorators:
                yield node


def _expected_sections(function: Function) -> set[str]:
    """Return the sections that a docstring should have, by the function's signature and its body."""
    parameters = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    parameters = [parameter for parameter in parameters if parameter.arg not in {"self", "cls"}]
    result = ast.unparse(function.returns) if function.returns else "None"
    types = [result, *(ast.unparse(parameter.annotation) for parameter in parameters if parameter.annotation)]
    if not parameters or (len(parameters) == 1 and not _ARRAYS.search(" ".join(types))):
        return set()
    nodes = list(_own_nodes(function))
    sections = {"Args:"} | {"Raises:" for node in nodes if isinstance(node, ast.Raise) and node.exc}
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes):
        return sections | ({"Yields:"} if "Iterator[None]" not in result else set())
    return sections | ({"Returns:"} if result not in {"None", "NoReturn"} else set())


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, but for those of functions in it."""
    for node in ast.iter_child_nodes(function):
        yield node
        if not isinstance(node, Function | ast.Lambda):
            yield from _own_nodes(node)


def _sections(function: Function) -> set[str]:
    return {line.strip() for line in (ast.get_docstring(function) or "").splitlines()}


def _code(roots: tuple[str, ...] = _CODE) -> Iterator[tuple[Path, ast.Module]]:
    """Yield each module below these folders, by default those of the code, with its syntax tree."""
    for path, text in _tracked_texts():
        if path.suffix == ".py" and path.parts[0] in roots:
            yield path, ast.parse(text)


def _subject(test: Path) -> bool:
    """Return whether the file's name, or its first words, is a module or package beside which it would stand."""
    folder = ROOT / test.relative_to(ROOT / "tests").parent
    prefix, *words = test.stem.split("_")
    names = ["_".join(words[:end]) for end in range(1, len(words) + 1)]
    return prefix == "test" and any((folder / f"{name}.py").is_file() or (folder / name).is_dir() for name in names)


def _tracked_texts() -> Iterator[tuple[Path, str]]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes()):
            yield Path(name), data.decode(errors="replace")
