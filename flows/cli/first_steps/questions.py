"""The four questions of ``pedigree init``: asked at a terminal, or answered by options."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from configs.environment import absolute, home
from configs.errors import PedigreeError, SettingsError
from flows.cli.first_steps.settings_text import FOLDERS, MANIFEST, METADATA, Answers, check_way
from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.ingestion.source_check import check_apart
from tasks.modeling.backbone.imagenet_file import find_imagenet
from tasks.stores.objects.folder import folder_path
from tasks.stores.objects.object_store import open_bucket

_WHERE = "Where are the photographs (a folder or s3://bucket/prefix)?"
_WRITE = "Where may I write (a folder or s3://bucket/prefix)?"
_KNOWN = {"imagenet", "demo", "random"}
_MANIFESTS = {".csv", ".jsonl", ".json"}


@dataclass(frozen=True, slots=True)
class Given:
    """What the options answer already; empty where they do not, and then it is asked.

    Attributes:
        source: Where the photographs are.
        labels: How they are labelled.
        store: Where Pedigree may write.
        backbone: Which backbone.
        defaults: Take the defaults for what is not given, and ask nothing.
    """

    source: str
    labels: str
    store: str
    backbone: str
    defaults: bool


def answer_questions(given: Given) -> Answers:
    """Return the answers: given ones, defaults, or what a person types.

    Args:
        given: What the options say.

    Returns:
        The answers, with the SHA-256 of a weights file.

    Raises:
        SettingsError: Something is neither given nor can be asked, since nobody is at a terminal.
    """
    if not (given.defaults or sys.stdin.isatty() or all((given.source, given.labels, given.store, given.backbone))):
        raise SettingsError(
            "Nobody is at a terminal to answer: name --source, --labels, --store and --backbone, or take the defaults "
            "with --yes."
        )
    source = _answer(given, given.source, _WHERE, "photos", _check)
    ways = "How are they labelled (folders, manifest FILE, metadata)?"
    labels = _answer(given, given.labels, ways, suggest_labels(source), partial(_check_labels, source))
    own = str(home() / "store")
    store = _answer(given, given.store, _WRITE, own, partial(_check_store, source))
    question = f"Which backbone (imagenet, a weights file, demo, random)?\n  {_describe_imagenet(given)}"
    backbone = _answer(given, given.backbone, question, "imagenet", _check_backbone)
    sha256 = "" if backbone in _KNOWN else _hash_file(backbone)
    return Answers(source, labels, "" if store == own else store, backbone, sha256)


def suggest_labels(source: str) -> str:
    """Return how the photographs of a folder are labelled, as far as its names tell: by folders, or by a manifest.

    Args:
        source: Where they are.

    Returns:
        The answer that is suggested.
    """
    folder = folder_path(absolute(source))
    if source.startswith("s3://") or not folder.is_dir():
        return FOLDERS
    names = SourceFilter()
    entries = sorted(folder.iterdir())
    manifests = [entry.name for entry in entries if entry.suffix.lower() in _MANIFESTS and entry.is_file()]
    has_classes = any(entry.is_dir() and not names.skips_folder(entry.name) for entry in entries)
    return FOLDERS if has_classes or not manifests else f"{MANIFEST} {manifests[0]}"


def _answer(given: Given, option: str, question: str, default: str, check: Callable[[str], str]) -> str:
    """Return an answer; one that looks wrong is asked again, and taken the second time, or where nobody is asked.

    Raises:
        SettingsError: No settings file can hold the answer of an option; at a terminal it is asked again.
        PedigreeError: The questions end before the answers.
    """
    if option or given.defaults:
        text = option or default
        if problem := check(text):
            sys.stderr.write(f"{problem} The settings file names it all the same.\n")
        return text
    former = ""
    while True:
        sys.stderr.write(f"{question} [{default}] ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise PedigreeError("The questions were not answered: no settings file was written.")
        text = line.strip() or default
        try:
            problem = check(text)
        except SettingsError as error:
            sys.stderr.write(f"  {error}\n")
            continue
        if not problem or text == former:
            return text
        former = text
        sys.stderr.write(f"  {problem} The same answer again keeps it.\n")


def _check(source: str) -> str:
    """Return what is wrong with a source; empty where nothing is."""
    try:
        open_bucket(absolute(source)).check()
    except PedigreeError as error:
        return str(error)
    return ""


def _check_labels(source: str, labels: str) -> str:
    """Return what is wrong with a way to label; raise SettingsError where it is none."""
    check_way(labels)
    way, _, key = labels.partition(" ")
    if source.startswith("s3://"):
        return ""
    if way == METADATA:
        raise SettingsError(f"Only S3 objects have metadata, and {source} is a folder: write folders or manifest FILE.")
    folder = folder_path(absolute(source))
    if way == MANIFEST and folder.is_dir() and not (folder / key.strip()).is_file():
        return f"{source} holds no file {key.strip()}: put it there, or correct the name."
    return ""


def _check_store(source: str, store: str) -> str:
    """Return what is wrong with a place to write; raise SettingsError where the photographs are there."""
    check_apart(absolute(source), absolute(store))
    if store.startswith("s3://"):
        return _check(store)
    folder = folder_path(absolute(store))
    while not folder.exists():
        folder = folder.parent
    writable = folder.is_dir() and os.access(folder, os.W_OK)
    return "" if writable else f"Nothing can be written into {folder}: name another place."


def _check_backbone(backbone: str) -> str:
    """Raise SettingsError for weights that cannot be read; ImageNet's may still come."""
    if backbone not in _KNOWN:
        _hash_file(backbone)
    return ""


def _describe_imagenet(given: Given) -> str:
    """Say what each backbone is good for, and whether ImageNet's weights can be had; only where that is asked."""
    if given.backbone or given.defaults:
        return ""
    weights = find_imagenet()
    state = "it is here" if weights.cached else "88 MB, once" if weights.available else "NOT to be had from here"
    return (
        f"imagenet ({state}) and other weights that learned from\n  photographs are for real use. demo knows drawn "
        "dogs, random nothing: with these\n  all can be tried, and photographs are told apart badly."
    )


def _hash_file(weights: str) -> str:
    parent, _, name = absolute(weights).rpartition("/")
    try:
        return open_bucket(parent or str(Path("/"))).sha256(name)
    except Exception as error:
        reason = str(error) if isinstance(error, PedigreeError) else "it cannot be read"
        raise SettingsError(
            f"There is no weights file {weights} ({reason}): name one, or imagenet, demo or random."
        ) from error
