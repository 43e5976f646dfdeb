"""YAML of settings files: words, lists and mappings; the schema, not YAML, decides what is a number or a boolean."""

from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from configs.errors import SettingsError

# More than any settings file needs; by aliases a small file may repeat the same list a million times.
LONGEST = 1_000_000
_DEEPEST, _MOST = 20, 100_000
_NOTHING = {"", "~", "null", "Null", "NULL"}
_MERGE = "<<"
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "map", "seq")}


def read_yaml(text: str, origin: str) -> Any:  # noqa: ANN401 - text, a list or a mapping
    """Parse YAML with every word as text.

    Args:
        text: The YAML.
        origin: What it comes from, as the beginning of an error's sentence.

    Returns:
        A text, a list or a dictionary of such; None where there is nothing.

    Raises:
        SettingsError: It is no YAML, too large or too deep, or a name is repeated or has no value; with the line.
    """
    if len(text) > LONGEST:
        raise SettingsError(f"{origin} is longer than {LONGEST:,} characters: no settings are.")
    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{origin} is not valid YAML in line {line}: {_reason(error)}.") from None
    except yaml.reader.ReaderError as error:
        # PyYAML counts positions in text and in bytes differently: only text comes here.
        line = text.count("\n", 0, error.position) + 1
        raise SettingsError(
            f"{origin} is not valid YAML in line {line}: it holds the character U+{int(error.character):04X}."
        ) from None
    return _Plain(origin).of(node) if node else None


def _reason(error: yaml.MarkedYAMLError) -> str:
    """Return what PyYAML says is wrong; of some sentences it puts the first half into the context."""
    problem = error.problem or "unreadable"
    return f"{error.context}, {problem}" if problem.startswith("but ") and error.context else problem


class _Loader(yaml.BaseLoader):
    """PyYAML's loader without YAML 1.1 types and with a limit of depth, since it recurses for each level."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - as its base has it
        self._depth += 1
        if self._depth > _DEEPEST:
            message = f"it is nested more than {_DEEPEST} levels deep"
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=message, problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


@dataclass
class _Plain:
    """Turns nodes into plain values, up to a limit; an alias counts each time that it is used."""

    origin: str
    _count: int = field(default=0)
    _depth: int = field(default=0)

    def of(self, node: yaml.Node) -> Any:  # noqa: ANN401 - text, a list or a mapping
        self._count += 1
        if self._count > _MOST or self._depth > _DEEPEST:
            self._fail(node, f"its aliases stand for more than {_MOST:,} values, or for themselves")
        if node.tag not in _TAGS:
            self._fail(node, f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')} has no meaning here")
        if isinstance(node, yaml.ScalarNode):
            return self._word(node)
        self._depth += 1
        plain = self._mapping(node) if isinstance(node, yaml.MappingNode) else [self.of(child) for child in node.value]
        self._depth -= 1
        return plain

    def _word(self, node: yaml.ScalarNode) -> str:
        if node.style is None and node.value in _NOTHING:
            missing = "a value is missing: write one, or leave its name out"
            nothing = f"{node.value} means no value: put it in quotes where the word is meant, or leave it out"
            self._fail(node, nothing if node.value else missing)
        return str(node.value)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            name = self._name(key)
            if name in lines:
                self._fail(key, f"{name} stands here a second time, after line {lines[name]}: leave one of them out")
            lines[name] = key.start_mark.line + 1
            if name == _MERGE and key.style is None:
                merged = self._merged(value)
            else:
                entries[name] = self.of(value)
        return merged | entries

    def _name(self, key: yaml.Node) -> str:
        if not isinstance(key, yaml.ScalarNode):
            self._fail(key, "a name is a list or a mapping: write a word")
        return str(self.of(key))

    def _merged(self, value: yaml.Node) -> dict[str, Any]:
        """Return the entries of the mappings that ``<<`` names, the first mapping first: YAML 1.1, but in use."""
        parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if not all(isinstance(node, yaml.MappingNode) for node in parts):
            self._fail(value, "<< merges mappings, and this is none")
        merged: dict[str, Any] = {}
        for part in parts:
            merged = self.of(part) | merged
        return merged

    def _fail(self, node: yaml.Node, reason: str) -> NoReturn:
        raise SettingsError(f"{self.origin}, line {node.start_mark.line + 1}: {reason}.")
