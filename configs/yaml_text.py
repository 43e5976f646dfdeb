"""YAML as settings are written: words, lists and mappings; the schema, not YAML, says what is a number or a switch."""

from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from configs.errors import SettingsError

# More than any settings file needs; a file that only looks small may name the same list a million times.
LONGEST = 1_000_000
_DEEPEST, _MOST = 20, 100_000
_NOTHING = {"", "~", "null", "Null", "NULL"}
_MERGE = "<<"
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "map", "seq")}


def read_yaml(text: str, origin: str) -> Any:  # noqa: ANN401 - text, a list or a mapping
    """Read YAML with every word as it stands there; raise SettingsError, with the line, for what is unclear.

    Args:
        text: What the file or the argument holds.
        origin: How to call it, at the beginning of a sentence.

    Returns:
        Text, a list or a dictionary of such.

    Raises:
        SettingsError: It is no YAML, too large or too deep, or it says something twice or not at all.
    """
    if len(text) > LONGEST:
        raise SettingsError(f"{origin} is longer than {LONGEST:,} characters: no settings are.")
    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{origin} is not valid YAML in line {line}: {_reason(error)}.") from None
    except yaml.reader.ReaderError as error:
        # It counts from one when it was given text, and from another end when bytes: only text comes here.
        line = text.count("\n", 0, error.position) + 1
        raise SettingsError(
            f"{origin} is not valid YAML in line {line}: it holds the character U+{int(error.character):04X}."
        ) from None
    return _Plain(origin).of(node) if node else None


def _reason(error: yaml.MarkedYAMLError) -> str:
    """PyYAML says half of some sentences in its context."""
    problem = error.problem or "unreadable"
    return f"{error.context}, {problem}" if problem.startswith("but ") and error.context else problem


class _Loader(yaml.BaseLoader):
    """PyYAML without its YAML 1.1 types, and with an end to depth: each level costs its reader several calls."""

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
    """Turns nodes into plain values, and counts them: an alias counts each time that it is named."""

    origin: str
    _count: int = field(default=0)
    _depth: int = field(default=0)

    def of(self, node: yaml.Node) -> Any:  # noqa: ANN401 - text, a list or a mapping
        self._count += 1
        if self._count > _MOST or self._depth > _DEEPEST:
            self._refuse(node, f"its aliases stand for more than {_MOST:,} values, or for themselves")
        if node.tag not in _TAGS:
            self._refuse(node, f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')} has no meaning here")
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
            self._refuse(node, nothing if node.value else missing)
        return str(node.value)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            name = self._name(key)
            if name in lines:
                self._refuse(key, f"{name} stands here a second time, after line {lines[name]}: leave one of them out")
            lines[name] = key.start_mark.line + 1
            if name == _MERGE and key.style is None:
                merged = self._merged(value)
            else:
                entries[name] = self.of(value)
        return merged | entries

    def _name(self, key: yaml.Node) -> str:
        if not isinstance(key, yaml.ScalarNode):
            self._refuse(key, "a name is a list or a mapping: write a word")
        return str(self.of(key))

    def _merged(self, value: yaml.Node) -> dict[str, Any]:
        """Merge what ``<<`` names: it is no YAML 1.2, but settings files were always read so. The first one wins."""
        parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if not all(isinstance(node, yaml.MappingNode) for node in parts):
            self._refuse(value, "<< merges mappings, and this is none")
        merged: dict[str, Any] = {}
        for part in parts:
            merged = self.of(part) | merged
        return merged

    def _refuse(self, node: yaml.Node, reason: str) -> NoReturn:
        raise SettingsError(f"{self.origin}, line {node.start_mark.line + 1}: {reason}.")
