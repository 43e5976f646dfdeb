"""Output that is no UTF-8 terminal, a reader that goes away, a user without a name: an answer, or one sentence."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.stores.store import Store

RUN = [sys.executable, "-c", "from flows.cli.app import main; main()"]
# A user whom no file names; what Python itself lies in may be closed to others, so reading is allowed.
NAMELESS = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
NAMELESS += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Store with a version whose only class is a poodle ü."""
    url = str(tmp_path_factory.mktemp("store"))
    rows = [Row(f"{number:064x}", "poodle ü", Split.TRAIN, (), f"poodle ü/{number}.jpg") for number in range(3)]
    Store(url).manifests.write(dataset_hash(rows), rows)
    return url


def shell(command: str, store: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of the shell, in which $RUN is Pedigree and $STORE the store."""
    given = {**os.environ, "STORE": store, **environment}
    line = command.replace("$RUN", f"{RUN[0]} -c '{RUN[2]}'")
    return subprocess.run(["bash", "-c", line], env=given, capture_output=True, check=False, timeout=120)  # noqa: S603, S607


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_any_encoding_gets_an_answer(store: str, encoding: str) -> None:
    """What an encoding lacks is shown by an escape, and one JSON object can be read in all of them."""
    shown = shell("$RUN data show latest --store $STORE", store, PYTHONIOENCODING=encoding)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert ("poodle \\xfc" if encoding == "ascii" else "poodle ü") in shown.stdout.decode(encoding)
    plain = shell("$RUN data show latest --store $STORE --json", store, PYTHONIOENCODING=encoding)
    assert json.loads(plain.stdout.decode(encoding))["classes"][0]["label"] == "poodle ü"


@pytest.mark.parametrize("name", ["Böhme", "\udcf6"])
def test_sentences_survive_any_encoding(name: str) -> None:
    """A sentence that names what the encoding lacks, or a name that is no text, arrives all the same."""
    done = shell("$RUN data list --store $STORE", f"/nowhere/{name}", PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert b"There is no folder /nowhere/" in done.stderr


@pytest.mark.parametrize("option", ["", "--json"])
def test_a_reader_that_goes_away_is_no_error(store: str, option: str) -> None:
    """Whoever reads only the beginning, or nothing, ends no command with an error, and reads none."""
    done = shell(f"set -o pipefail; $RUN data show latest --store $STORE {option} | true", store)
    assert (done.returncode, done.stderr) == (0, b"")


def test_errors_that_nobody_reads_change_no_exit_code(store: str) -> None:
    """Where standard error is closed, full or gone the command does the same, with the same exit code."""
    for where in ("2>&-", "2>/dev/full", "2> >(true)"):
        done = shell(f"$RUN data show latest --store $STORE {where}", store)
        assert (done.returncode, b"poodle" in done.stdout) == (0, True), where
        assert shell(f"$RUN data show latest --store /nowhere {where}", store).returncode == 1, where


@pytest.mark.parametrize("option", ["", "--json"])
def test_an_answer_that_cannot_be_written_is_said(store: str, option: str) -> None:
    """On a full disk the answer's loss is told in a sentence, with exit code 1."""
    done = shell(f"$RUN data show latest --store $STORE {option} >/dev/full", store)
    assert done.returncode == 1
    assert (
        done.stderr == b"The answer cannot be written (No space left on device); the command itself was carried out.\n"
    )


def test_closed_streams_are_no_error(store: str) -> None:
    """A command that is started without any stream does its work."""
    assert shell("$RUN data show latest --store $STORE <&- >&- 2>&-", store).returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_a_user_without_a_name_or_home_is_served(store: str) -> None:
    """A container's user whom no file names, without HOME, reads versions, and is asked for a name where one counts."""
    become = " ".join([*NAMELESS, "env", "-u", "HOME", "-u", "USER", "-u", "LOGNAME"])
    with TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(store, folder / "store")
        (folder / "settings.yaml").write_text(f"source: {{url: {folder}}}\nstore: {{url: {folder}/store}}\n")
        subprocess.run(["chmod", "-R", "a+rwX", name], check=True)  # noqa: S603, S607
        home = f"{name}/home"
        done = shell(f"{become} $RUN data show latest --store {name}/store", store, PEDIGREE_HOME=home)
        assert (done.returncode, done.stderr) == (0, b"")
        done = shell(f"{become} $RUN model hold 3 --why x -c {name}/settings.yaml", store, PEDIGREE_HOME=home)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--by" in done.stderr


def test_a_folder_that_is_gone_is_named(store: str, tmp_path: Path) -> None:
    """A command that is given in a folder which was deleted meanwhile says so, with exit code 2."""
    gone = tmp_path / "gone"
    gone.mkdir()
    done = shell(f"cd {gone} && rmdir {gone} && $RUN data list --store here", store)
    assert done.returncode == 2
    assert b"The current folder does not exist any more" in done.stderr
