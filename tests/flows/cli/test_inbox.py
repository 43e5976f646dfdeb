"""``pedigree inbox`` as a user runs it: what it prints, and what it says where something is wrong."""

import json
from pathlib import Path

import pytest

from tasks.stores.inbox import Inbox
from tests.e2e.test_data import answered, pedigree
from tests.tasks.catalog.test_inbox import fill
from tests.tasks.domain.serving.test_labelling_tasks import annotate


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Write settings with an inbox that holds three pictures, and return their path."""
    (tmp_path / "photos").mkdir()
    path = tmp_path / "settings.yaml"
    path.write_text(
        f"source: {{url: {tmp_path}/photos}}\nstore: {{url: {tmp_path}/store}}\ninbox: {{url: {tmp_path}/box}}\n"
    )
    fill(Inbox(str(tmp_path / "box")))
    return str(path)


def say(*arguments: str) -> str:
    """Run a command that must end well, and return what it prints, in one line."""
    done = pedigree("inbox", *arguments)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def test_each_command_tells_what_it_did(config: str, tmp_path: Path) -> None:
    """Listing, exporting, accepting and forgetting say in words what is there and what became of each picture."""
    images = [picture.image for picture in Inbox(str(tmp_path / "box")).listing()]
    assert "3 pictures: 3 waiting" in say("list", "-c", config)
    assert images[0][:12] in say("list", "-c", config, "--day", "2026-11-28")
    assert "1 picture: 1 waiting" in say("list", "-c", config, "--image", images[0][:12].upper())
    assert "There is no such picture" in say("list", "-c", config, "--day", "2020-01-01")
    assert "3 tasks in" in say("export", str(tmp_path / "out"), "-c", config)
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    labelled = [annotate(tasks[0], "whippet"), annotate(tasks[1], "pug", "boxer"), annotate(tasks[2], "")]
    (tmp_path / "export.json").write_text(json.dumps(labelled))
    told = say("accept", str(tmp_path / "export.json"), "-c", config)
    assert "1 picture came in (1 whippet)" in told
    assert f"1 picture with labels that disagree (settle them, and accept again): {images[1][:12]} (boxer, pug)" in told
    assert f"1 picture without a label, since nobody chose one or the task was skipped: {images[2][:12]}" in told
    assert "1 picture of whippet, which the model did not know" in told
    assert "3 pictures: 1 accepted, 2 exported" in say("list", "-c", config)
    removed = say("forget", images[0][:12], "-c", config)
    assert "pedigree data forget" in removed
    assert "never kept again" in removed
    assert [picture["state"] for picture in answered("inbox", "list", "-c", config)["pictures"]] == ["exported"] * 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--set", "inbox.url=''"], "set inbox.url"),
        (["list", "--set", "inbox.url={folder}/photos/box"], "in one another"),
        (["list", "--set", "inbox.url={folder}/none"], "There is no folder"),
        (["list", "--day", "yesterday"], "is no day"),
        (["export", "{folder}", "--day", "2026-11-28"], "not an empty folder"),
        (["export", "{folder}/new", "--day", "2020-01-01"], "No picture waits"),
        (["accept", "{folder}/none.json"], "cannot be read"),
        (["accept", "{folder}/labels.csv", "--to", "{folder}/none"], "There is no folder"),
        (["forget", "pug.jpg"], "is no picture"),
    ],
)
def test_what_is_wrong_is_one_sentence(config: str, tmp_path: Path, arguments: list[str], words: str) -> None:
    """A wrong setting, argument or file ends with one sentence and leaves the inbox as it is."""
    (tmp_path / "labels.csv").write_text("key,label\na.jpg,pug\n")
    before = Inbox(str(tmp_path / "box")).listing()
    done = pedigree("inbox", *(word.format(folder=tmp_path) for word in arguments), "-c", config)
    assert done.returncode in {1, 2}
    assert done.stdout == ""
    (sentence,) = done.stderr.strip().splitlines()
    assert words in sentence
    assert Inbox(str(tmp_path / "box")).listing() == before
