"""The four questions of ``pedigree init``: asked at a terminal, or answered by options."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from configs.environment import absolute, home
from configs.errors import PedigreeError, SettingsError
from flows.cli.first_steps.settings_text import FOLDERS, MANIFEST, Answers
from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.modeling.backbone.imagenet_file import find_imagenet
from tasks.stores.objects.folder import folder_path
from tasks.stores.objects.object_store import open_bucket

_WHERE = "Where are the photographs (a folder or s3://bucket/prefix)?"
_WRITE = "Where may I write (a folder or s3://bucket/prefix)?"
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
    labels = _answer(
        given, given.labels, "How are they labelled (folders, manifest FILE, metadata)?", suggest_labels(source)
    )
    own = str(home() / "store")
    store = _answer(given, given.store, _WRITE, own)
    question = f"Which backbone (imagenet, a weights file, demo, random)?\n  {_describe_imagenet(given)}"
    backbone = _answer(given, given.backbone, question, "imagenet")
    sha256 = "" if backbone in {"imagenet", "demo", "random"} else _hash_file(backbone)
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


def _answer(
    given: Given, option: str, question: str, default: str, check: Callable[[str], str] = lambda _text: ""
) -> str:
    """Return an answer; one that looks wrong is asked again, and taken the second time, or where nobody is asked."""
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
        problem = check(text)
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
