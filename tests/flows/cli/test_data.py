"""``pedigree data`` as a user runs it: what it prints, how it exits, and what it never loads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.cli.test_app import Done, pedigree, refused
from tests.flows.stored_runs import photographs, write_run
from tests.tasks.catalog.test_verify import flip, largest

COMMANDS = [
    ["list"],
    ["show", "latest"],
    ["diff", "{old}", "latest", "--html", "page.html"],
    ["diff", "1", "champion", "--html", "models.html"],
    ["find", "{old}"],
    ["find", "2"],
    ["rejects"],
    ["rejects", "latest"],
    ["checkout", "latest", "out"],
    ["verify", "latest"],
]
# Runs the command line in this process and says which modules that loaded.
LOADED = """
import sys
from flows.cli.app import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
slow = {"tensorflow", "keras", "prefect", "mlflow", "boto3"} & set(sys.modules)
print("loaded", sorted(slow), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def _stored_runs(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> tuple[Path, list[str]]:
    """Make a store with two versions, and name them."""
    store = tmp_path_factory.mktemp("store")
    objects = photographs(photos, breeds=3, images=5)
    more = photographs(photos, breeds=3, images=6)
    return store, [write_run(str(store), {**objects, "text.jpg": b"words"}), write_run(str(store), more)]


@pytest.fixture
def stored_runs(
    _stored_runs: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[str]]:
    """Work in an empty folder beside the store."""
    monkeypatch.chdir(tmp_path)
    return _stored_runs


def data(store: Path, *arguments: str) -> Done:
    """Run ``pedigree data`` on a store."""
    return pedigree("data", *arguments, "--store", str(store))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_each_command_answers_in_both_ways(stored_runs: tuple[Path, list[str]], command: list[str]) -> None:
    """Each command prints lines of at most 80 letters, or one JSON object, and loads nothing that takes seconds."""
    store, names = stored_runs
    arguments = ["data", *(word.format(old=names[0][:6]) for word in command), "--store", str(store)]
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", LOADED, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert (done.returncode, done.stderr) == (0, "loaded []\n")
    assert done.stdout.strip()
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 80
    repeated = pedigree(*(word if word != "out" else "out2" for word in arguments), "--json")
    assert repeated.returncode == 0, repeated.stderr
    assert isinstance(json.loads(repeated.stdout), dict)


def test_json_names_versions_in_full(stored_runs: tuple[Path, list[str]]) -> None:
    """The list for programs holds full hashes, the newest last."""
    store, names = stored_runs
    assert [version["hash"] for version in json.loads(data(store, "list", "--json").stdout)["versions"]] == names


def test_a_settings_file_names_the_store(stored_runs: tuple[Path, list[str]], tmp_path: Path) -> None:
    """The store is that of the settings, with their changes, as in retrain."""
    store, names = stored_runs
    (tmp_path / "settings.yaml").write_text("source: {url: photos}\nstore: {url: elsewhere}\n")
    arguments = ("data", "show", "latest", "-c", "settings.yaml", "--json")
    refused(pedigree(*arguments), 1, "There is no folder", "elsewhere")
    assert json.loads(pedigree(*arguments, "--set", f"store.url={store}").stdout)["dataset"] == names[1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("list",), 2, "either -c FILE"),
        (("list", "-c", "a.yaml", "--store", "b"), 2, "either -c FILE"),
        (("list", "--store", "b", "--set", "store.url=c"), 2, "either -c FILE"),
        (("list", "--store", "nowhere"), 1, "There is no folder"),
        (("list", "--store", "http://example.org"), 2, "no place that Pedigree can open"),
        (("list", "--store", "."), 1, "holds no dataset version"),
        (("rejects", "latest", "--store", "."), 1, "holds no dataset version"),
        (("show", "0000", "--store", "{store}"), 2, "no version 0000"),
        (("diff", "latest", "12", "--store", "{store}"), 2, "at least 4"),
        (("diff", "latest", "latest", "--html", "no/page.html", "--store", "{store}"), 1, "cannot be written"),
        (("checkout", "latest", "full", "--store", "{store}"), 1, "not an empty folder"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    stored_runs: tuple[Path, list[str]], tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """A wrong store, version or folder is named in one sentence, with exit code 1 or 2."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    refused(pedigree("data", *(word.format(store=stored_runs[0]) for word in arguments)), code, words)


def test_an_ambiguous_version(stored_runs: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Digits that fit two versions are refused with both names."""
    for name in ("abcd1" + "0" * 59, "abcd2" + "0" * 59):
        (tmp_path / "store" / "datasets" / name).mkdir(parents=True)
        (tmp_path / "store" / "datasets" / name / "manifest.parquet").write_bytes(b"")
    assert stored_runs
    refused(data(tmp_path / "store", "show", "abcd"), 2, "abcd1", "abcd2", "more digits")
    listed = json.loads(data(tmp_path / "store", "list", "--json").stdout)["versions"]
    assert all("is damaged" in version["problem"] for version in listed)
    refused(data(tmp_path / "store", "show", "abcd1"), 1, "is damaged", "manifest.parquet")


def test_damage_is_an_exit_code_and_a_list(tmp_path: Path, photos: Path) -> None:
    """A damaged version exits with 1 and one sentence, and the list for programs names each damaged image."""
    store = tmp_path / "store"
    write_run(str(store), photographs(photos, breeds=2, images=5))
    path = largest(store / "images.lance")
    flip(path, path.stat().st_size // 2)
    done = data(store, "verify", "latest", "--json")
    (damage,) = json.loads(done.stdout)["damage"]
    assert (done.returncode, damage["detail"]) == (1, "Its bytes have another SHA-256.")
    assert damage["what"] in done.stderr
    assert done.stderr.strip().endswith(".")
    refused(data(store, "checkout", "latest", str(tmp_path / "out")), 1, "is damaged in the store")
    assert not list(tmp_path.glob("out*"))
