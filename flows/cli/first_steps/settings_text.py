"""The settings file of somebody who begins: four answers, and comments that say what else there is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from configs.errors import SettingsError
from configs.gate_rules import DEFAULT_RULES

#: The ways in which photographs may be labelled, as they are answered.
FOLDERS, MANIFEST, METADATA = "folders", "manifest", "metadata"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person answers.

    Attributes:
        source: Where the photographs are.
        labels: How they are labelled: folders, manifest KEY, or metadata.
        store: Where Pedigree may write; empty for its home folder.
        backbone: imagenet, demo, random, or the path or address of a weights file.
        sha256: The SHA-256 of that file; empty for the others.
    """

    source: str
    labels: str
    store: str
    backbone: str
    sha256: str = ""

    @property
    def only_for_a_try(self) -> bool:
        """Return whether the backbone knows no photographs."""
        return self.backbone in {"demo", "random"}


def write_settings_text(answers: Answers, schema: str, command: str) -> str:
    """Write the text of a settings file.

    Args:
        answers: What a person answered.
        schema: Path of the JSON schema, for editors.
        command: The first command to run with the file.

    Returns:
        YAML with comments.

    Raises:
        SettingsError: The answer about labels is not understood.
    """
    parts = [
        f"# yaml-language-server: $schema={schema}",
        "# Settings of Pedigree; docs/reference/settings.md has all of them. What is left out has its default.",
        f"#   {command}",
        "source:",
        f"  url: {_scalar(answers.source)}   # where the photographs are; Pedigree only reads there",
        *_store(answers.store),
        *_labels(answers.labels),
        *_backbone(answers),
        *_gate(answers),
    ]
    return "\n".join(parts) + "\n"


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, allow_unicode=True, width=math.inf).removesuffix("\n").removesuffix("\n...")


def _store(store: str) -> Sequence[str]:
    if not store:
        return (
            "# store:",
            "#   url: s3://bucket/prefix   # without this all is kept in the folder store of the home folder",
        )
    return ("store:", f"  url: {_scalar(store)}   # where Pedigree keeps all that it makes; nothing else writes there")


def check_way(labels: str) -> None:
    """Check an answer about labels.

    Args:
        labels: The answer.

    Raises:
        SettingsError: It is not understood.
    """
    way, _, key = labels.partition(" ")
    if way not in {FOLDERS, MANIFEST, METADATA} or bool(key.strip()) != (way == MANIFEST):
        raise SettingsError(
            f"{labels!r} says no way to label: write folders, manifest with the name of its file, such as manifest "
            "labels.csv, or metadata."
        )


def _labels(labels: str) -> Sequence[str]:
    check_way(labels)
    way, _, key = labels.partition(" ")
    if way == FOLDERS:
        return (
            "# labels:",
            "#   layout: label/coat   # where folders say more: poodle/white/1.jpg; alone, the folder is the class",
            '#   aliases: {"toy poodle": poodle}   # other spellings of a class',
        )
    if way == MANIFEST:
        return ("labels:", "  sources: [manifest]", f"  manifest: {_scalar(key.strip())}   # a file in the source")
    return ("labels:", "  sources: [metadata]   # of S3 objects")


def _backbone(answers: Answers) -> Sequence[str]:
    lines = ["backbone:", f"  weights: {_scalar(answers.backbone)}"]
    if answers.sha256:
        lines.append(f"  sha256: {answers.sha256}")
    if answers.backbone == "demo":
        lines += ["  cut: mixed2", "  size: 96"]
    if answers.only_for_a_try:
        lines[1] += "   # for a try: it knows no photographs, and tells them apart badly; imagenet does"
        return lines
    return [*lines, "#   cut: auto   # the first run measures each layer, and keeps the best"]


def _gate(answers: Answers) -> Sequence[str]:
    """Return the gate's rules: without a floor where no model could reach it, so that a try ends with a champion."""
    if not answers.only_for_a_try:
        return (
            "# gate:   # what a new model must pass; docs/reference/gate-rules.md",
            "#   rules:",
            *_rules("#     - "),
        )
    floor, *further = DEFAULT_RULES
    return (
        "gate:",
        "  rules:   # docs/reference/gate-rules.md",
        f"    # - {floor}   # back to it with weights that know photographs: any first model passes without",
        *(f"    - {rule}" for rule in further),
    )


def _rules(indent: str) -> Sequence[str]:
    return [f"{indent}{rule}" for rule in DEFAULT_RULES]
