"""The README is short, and the page of modules and the picture of the line keep pace with the code."""

import ast
import re

from tests.servers import ROOT

REFERENCE = ROOT / "docs" / "reference"
MODULES_PAGE = (REFERENCE / "modules.md").read_text(encoding="utf-8")


def test_the_readme_is_read_in_minutes() -> None:
    """The README says what this is, how to try and test it, and where to read on, in 600 to 900 words."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 600 <= len(text.split()) <= 900
    assert all(f"\n{command} " in text for command in ("make demo", "make check", "make test"))


def test_the_readme_explains_its_words() -> None:
    """Whoever has read the README alone can say what a slice, a gate, a ledger and a hold are."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    words = re.findall(r"^- (?:A|The) \*\*(\w+)\*\* is ", text, re.MULTILINE)
    assert words == ["slice", "gate", "ledger", "hold"]


def test_every_package_is_described() -> None:
    """Each package of the code is on the page of modules, and the page names no other."""
    packages = {
        f"{path.parent.relative_to(ROOT)}/"
        for folder in ("configs", "flows", "infra", "tasks")
        for path in (ROOT / folder).rglob("__init__.py")
    }
    described = set(re.findall(r"^\| `((?:configs|flows|infra|tasks)[\w/]*/)` \|", MODULES_PAGE, re.MULTILINE))
    assert described | {"tasks/domain/"} == packages


def test_the_picture_shows_the_steps_of_the_flow() -> None:
    """The picture of the line names each step that flows/retrain.py calls."""
    flow = ast.parse((ROOT / "flows" / "retrain.py").read_text(encoding="utf-8"))
    imports = [node for node in flow.body if isinstance(node, ast.ImportFrom) and node.module]
    steps = {
        alias.name
        for node in imports
        if re.match(r"tasks\.(?!domain|reports|stores|modeling)", node.module or "")
        for alias in node.names
        if alias.name.islower() and alias.name != "serving_probe"
    }
    picture = (ROOT / "docs" / "images" / "line.svg").read_text(encoding="utf-8")
    names = set(re.findall(r'font-weight="bold"[^>]*>([a-z_]+)</text>', picture))
    assert len(steps) >= 20
    assert steps - names == set()
