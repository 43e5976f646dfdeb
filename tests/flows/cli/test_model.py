"""``pedigree model`` as a user runs it: what it prints, how it exits, and what the story of a version tells."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.domain.registry.decisions import Decision
from tasks.promotion.aliases import Workspace
from tasks.stores.store import Store
from tests.flows.cli.test_app import Done, pedigree, refused
from tests.flows.cli.test_data import LOADED
from tests.flows.stored_runs import photographs, write_run
from tests.tasks.decisions import add_decision, make_workspace, shown

RULES = [{"rule": "minimum accuracy", "value": 0.9, "limit": 0.5, "passed": True}]
SETTINGS = 'source: {{url: "{folder}"}}\nstore: {{url: "{store}"}}\ntracking: {{url: "{url}"}}\n'


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> str:
    """Two runs' champions, the second one with more photographs and a corrected label, then rolled back by Ann."""
    store = str(tmp_path_factory.mktemp("store"))
    objects = photographs(photos, breeds=3, images=5)
    parent = write_run(store, objects)
    more = photographs(photos, breeds=3, images=6)
    first, second = min(objects), sorted({key.partition("/")[0] for key in objects})[1]
    more[f"{second}/{first.partition('/')[2]}"] = more.pop(first)
    name = write_run(store, more)
    card = Path(store, "datasets", name, "card.json")
    card.write_text(json.dumps({**json.loads(card.read_text()), "parent": parent}))
    last = Store(store).ledger.entries()[-1]
    Path(store, "ledger", "000002.json").unlink()
    decision = replace(last, rules=RULES, figures={"accuracy": 0.9}, against=1)
    assert Store(store).ledger.append(decision)
    assert Store(store).ledger.append(_rolled_back(decision))
    return store


def _rolled_back(decision: Decision) -> Decision:
    return replace(
        decision,
        number=3,
        time="2026-11-03T08:30:00+00:00",
        outcome="rolled-back",
        champion=1,
        against=2,
        reason="rolled back to version 1",
        person="ann",
        why="black poodles are gone",
    )


@pytest.mark.parametrize("command", [["list"], ["show", "2"], ["why", "2"]], ids=" ".join)
def test_each_look_answers_in_both_ways(store: str, command: list[str]) -> None:
    """Each prints lines of at most 80 letters, or one JSON object, from the store alone, and loads nothing slow."""
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", LOADED, "model", *command, "--store", store],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert (done.returncode, done.stderr) == (0, "loaded []\n")
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 80
    repeated = pedigree("model", *command, "--store", store, "--json")
    assert repeated.returncode == 0, repeated.stderr
    assert isinstance(json.loads(repeated.stdout), dict)


def test_the_list_tells_who_serves_and_who_is_held(store: str) -> None:
    """Each version has its last decision, the person's name, and its roles of today."""
    listed = json.loads(pedigree("model", "list", "--store", store, "--json").stdout)["models"]
    assert [(version["version"], version["outcome"], version["person"], version["roles"]) for version in listed] == [
        ("1", "promoted", "", ["champion"]),
        ("2", "rolled-back", "ann", ["held"]),
    ]


def test_the_whole_story_of_a_version(store: str, photos: Path) -> None:
    """Data diff, figures, rules, decisions and the person's reason stand in it, for people and for programs."""
    breeds = sorted(path.name for path in photos.iterdir() if path.is_dir())[:3]
    story = json.loads(pedigree("model", "why", "2", "--store", store, "--json").stdout)
    assert story["data"]["added"] == dict.fromkeys(breeds, 1)
    assert story["data"]["relabelled"] == {f"{breeds[0]} -> {breeds[1]}": 1}
    assert (story["judged_against"], story["rules"], story["model"]["figures"]) == ("1", RULES, {"accuracy": 0.9})
    assert [(decision["outcome"], decision["person"], decision["why"]) for decision in story["decisions"]] == [
        ("promoted", "", ""),
        ("rolled-back", "ann", "black poodles are gone"),
    ]
    text = pedigree("model", "why", "2", "--store", store).stdout
    for words in (
        "3 added",
        "1 relabelled",
        "accuracy 0.900",
        "minimum accuracy",
        "rolled-back by ann",
        "black poodles",
    ):
        assert words in text


def test_the_first_version_has_no_parent(store: str) -> None:
    """Its story says so, and was judged by the absolute rules."""
    story = json.loads(pedigree("model", "why", "1", "--store", store, "--json").stdout)
    assert (story["data"]["parent"], story["judged_against"]) == (None, None)
    assert "the first one" in pedigree("model", "why", "1", "--store", store).stdout


@pytest.fixture
def deciding(tmp_path: Path) -> tuple[Workspace, str]:
    """Make a champion, one before it, a version that waits, and the settings file that names them."""
    workspace = make_workspace(tmp_path)
    for outcome in ("promoted", "promoted", "needs-approval"):
        add_decision(workspace, outcome)
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        SETTINGS.format(folder=tmp_path / "photos", store=workspace.store.url, url=workspace.tracking.url)
    )
    return workspace, str(settings)


def test_deciding_from_the_command_line(deciding: tuple[Workspace, str]) -> None:
    """Promote, roll back, hold and lift each take one command, and the ledger keeps the name and the reason."""
    workspace, settings = deciding

    def run(*words: str) -> Done:
        done = pedigree("model", *words, "-c", settings, "--why", "I looked", "--by", "ann", "--json")
        assert done.returncode == 0, done.stderr
        return done

    assert json.loads(run("promote", "3").stdout)["champion"] == "3"
    assert json.loads(run("rollback").stdout)["champion"] == "2"
    refused(pedigree("model", "promote", "3", "-c", settings, "--why", "again"), 1, "pedigree model lift 3")
    run("lift", "3")
    run("hold", "1")
    entries = workspace.store.ledger.entries()
    assert [entry.outcome for entry in entries[3:]] == ["promoted", "rolled-back", "lifted", "held"]
    assert {(entry.person, entry.why) for entry in entries[3:]} == {("ann", "I looked")}
    assert shown(workspace) == {"champion": "2", "previous": "1"}


def test_the_person_is_who_is_logged_in(deciding: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --by the ledger names the user of this machine."""
    workspace, settings = deciding
    monkeypatch.setenv("LOGNAME", "carol")
    assert pedigree("model", "hold", "2", "-c", settings, "--why", "a doubt").returncode == 0
    assert workspace.store.ledger.entries()[-1].person == "carol"


def test_what_cannot_be_decided_is_told_in_a_sentence(
    deciding: tuple[Workspace, str], store: str, tmp_path: Path
) -> None:
    """An unknown version is a wrong argument, a store that is not there a problem; nothing is written."""
    workspace, settings = deciding
    refused(pedigree("model", "promote", "9", "-c", settings, "--why", "so"), 2, "knows no model 9")
    refused(pedigree("model", "why", "9", "--store", store), 2, "knows no model 9")
    refused(pedigree("model", "list", "--store", str(tmp_path / "none")), 1, "There is no folder")
    assert len(workspace.store.ledger.entries()) == 3
