"""A checkout of a newcomer in which the commands of the pages run: photographs, settings, one store, and servers."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.synthetic.drawn_dogs import draw
from tasks.stores.inbox import Inbox
from tests.servers import ROOT, answers, free_port, running, wait_until
from tests.tasks.domain.serving.test_labelling_tasks import annotate
from tests.tasks.stores.test_inbox import make_record

BREEDS = ("beagle", "corgi", "poodle")
_PROGRAMS = Path(sys.executable).parent
SERVICE = "http://127.0.0.1:8080"
_POOL = "team"
_POODLE = "photos/poodle/0042.jpg"
_ASSIGNMENT = re.compile(r"^(\w+)=")
_PEDIGREE = ("pedigree", ".venv/bin/pedigree")
# The words with which a shell begins that runs here; anything else must be in the table of what does not.
_SHELL = ("curl", "cp", "export", "openssl", "prefect", "python3")
# The network is the demo's, small and quick; every model passes, and no process loads the packaged one.
_SMALL = "dataset: {min_images_per_class: 5}\n"
_NIGHTLY = f"""
source: {{url: photos}}
inbox: {{url: inbox}}
{_SMALL}
backbone: {{weights: demo, cut: mixed2, size: 96}}
gate: {{rules: [accuracy at least 0], needs: no-harm, serve_check: false}}
"""
_STRICT = "gate: {rules: [images of any class at least 1000], serve_check: false}"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The folder of the checkout, the servers that are running, and what has been answered so far."""

    folder: Path
    prefect: str
    stack: ExitStack
    answered: dict[str, str] = field(default_factory=dict)

    def run(self, command: str, environment: dict[str, str]) -> None:
        """Run a command of a page, with what the page has exported; a failure is an AssertionError."""
        words = shlex.split(command, comments=True)
        assigned = [word for word in words if _ASSIGNMENT.match(word)] if _ASSIGNMENT.match(words[0]) else []
        program = words[len(assigned)] if len(words) > len(assigned) else "export"
        if program in _PEDIGREE:
            words = shlex.split(self.fill(command), comments=True)
            given = dict(word.split("=", 1) for word in words[: len(assigned)])
            self.pedigree(words[len(assigned) + 1 :], {**environment, **given})
        else:
            assert program in _SHELL, f"{command!r} is neither run here nor in the table of what is not run"
            self._shell(self.fill(command), environment)

    def pedigree(self, words: list[str], environment: Mapping[str, str]) -> str:
        """Run the command line in this process, which has imported already what takes longest."""
        if words[0] == "serve":
            self.service()
            return ""
        if words[0] == "retrain" and "--dry-run" not in words:
            self.add_photographs()
        if words[:2] == ["inbox", "accept"]:
            self._label_tasks()
        if words[0] == "init":
            # What a person would answer, one by one.
            words = [*words, "--source=photos", "--labels=folders", f"--store={self.store}", "--backbone=demo"]
            Path("settings.yaml").unlink(missing_ok=True)
        done = CliRunner(env=environment).invoke(app, words)
        assert done.exit_code == 0, f"pedigree {shlex.join(words)}:\n{done.output}"
        if words[0] == "init":
            text = Path("settings.yaml").read_text(encoding="utf-8")
            Path("settings.yaml").write_text(text.replace("gate:\n", f"{_SMALL}gate:\n  serve_check: false\n"))
        return done.stdout

    def _shell(self, command: str, environment: dict[str, str]) -> None:
        """Run a command by Bash, and keep what it exports for the page's next ones."""
        exports = self.folder / "environment"
        # An answer of 400 or more is a failure, which curl alone does not say.
        before = 'set -euo pipefail; curl() { command curl --fail-with-body "$@"; }'
        done = subprocess.run(  # noqa: S603 - commands of our own pages
            ["bash", "-c", f"{before}\n{command}\nenv -0 > '{exports}'"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": f"{_PROGRAMS}:{os.environ['PATH']}", **environment},
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        after = dict(line.split("=", 1) for line in exports.read_text().split("\0") if "=" in line)
        environment |= {name: value for name, value in after.items() if os.environ.get(name) != value}
        if '"id"' in done.stdout and SERVICE not in done.stdout:
            self.answered["id"] = json.loads(done.stdout).get("id", "")

    def fill(self, command: str) -> str:
        """Put what is here in the place of what a page only shows: addresses, hashes, days and names."""
        values: dict[str, Callable[[], str]] = {
            re.escape(SERVICE): self.service,
            r"(?<=\" )…$": lambda: f"{self.service()}/version",
            r"\b(A|3f9c)(?= latest)": lambda: self.versions()[0],
            r"(?<=inbox forget )9c1f3a…": lambda: Inbox(str(self.folder / "inbox")).listing()[0].image,
            r"9c1f3a…?": lambda: sha256_of_bytes((self.folder / _POODLE).read_bytes()),
            "01KB4V5N7Q3M8X2D6F9H0J1K2M": lambda: self.answered["id"],
            r"https://prefect\.example\.org/api": lambda: self.prefect,
            r"\bNAME\b": lambda: _POOL,
            r"(?<=as-of )2026-11-01|(?<=reproduce )2026-11-01": lambda: f"{datetime.now(UTC):%Y-%m-%d}",
        }
        for pattern, value in values.items():
            if re.search(pattern, command):
                command = re.sub(pattern, value(), command)
        return command

    @property
    def store(self) -> str:
        """The address of the store, which is in the home folder."""
        return str(self.folder / ".pedigree" / "store")

    def versions(self) -> list[str]:
        """Name the dataset versions, the oldest first."""
        listed = self.pedigree(["data", "list", "--store", self.store, "--json"], {})
        return [version["hash"] for version in json.loads(listed)["versions"]]

    def models(self) -> dict[str, str]:
        """Return the outcome of each model version."""
        if not Path(self.store).is_dir():
            return {}
        listed = self.pedigree(["model", "list", "--store", self.store, "--json"], {})
        return {model["version"]: model["outcome"] for model in json.loads(listed)["models"]}

    def search(self, expression: str) -> int:
        """Return how many runs or model versions MLflow finds by an expression."""
        client = MlflowClient(f"sqlite:///{self.folder}/.pedigree/mlflow.db")
        expression = expression.replace("3f9c…", self.versions()[-1])
        if expression.startswith("name ="):
            return len(client.search_model_versions(expression))
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return len(client.search_runs(experiments, expression))

    def make_four_models(self) -> None:
        """Retrain until there are three models, whatever pages ran before, and a fourth that is rejected."""
        while len(self.models()) < 3:
            self.pedigree(["retrain", "-c", "configs/nightly.yaml"], {})
        if len(self.models()) == 3:
            nightly = Path("configs/nightly.yaml").read_text()
            Path("strict.yaml").write_text(re.sub("gate: .*", _STRICT, nightly))
            self.pedigree(["retrain", "-c", "strict.yaml"], {})
            assert self.models()["4"] == "rejected"

    def add_photographs(self) -> None:
        """Draw two more photographs of each breed."""
        for breed in BREEDS:
            draw_photographs(self.folder / "photos" / breed, breed, 2)

    def service(self) -> str:
        """Start the service where none runs yet, and return its address."""
        if "service" not in self.answered:
            address = f"http://127.0.0.1:{(port := free_port())}"
            command = [str(_PROGRAMS / "pedigree"), "serve", "-c", "configs/nightly.yaml"]
            log = self.folder / "service.log"
            self.stack.enter_context(running([*command, "--port", str(port)], log, {}, self.folder))
            wait_until(lambda: answers(f"{address}/ready"), 120, f"the service, see {log}")
            self.answered["service"] = address
        return self.answered["service"]

    def _label_tasks(self) -> None:
        """Write the export of a labelling tool, in which somebody has labelled the exported tasks."""
        tasks: list[dict[str, Any]] = json.loads(Path("tasks/tasks.json").read_text())
        Path("export.json").write_text(json.dumps([annotate(task, "corgi") for task in tasks]))


def draw_photographs(folder: Path, breed: str, number: int, seed: int = 0) -> None:
    """Draw so many more photographs of a breed; names go on where they ended, and the poodles' begin with 0031."""
    folder.mkdir(parents=True, exist_ok=True)
    first = max((int(path.stem) for path in folder.glob("*.jpg")), default=30 if breed == "poodle" else 0) + 1
    for name in range(first, first + number):
        draw(breed, "black" if name % 2 else "white", seed + name).save(folder / f"{name:04}.jpg")


@contextmanager
def make_sandbox(folder: Path, prefect: str) -> Iterator[Sandbox]:
    """Make the checkout of a newcomer in a folder, and stop its servers in the end."""
    for breed in BREEDS:
        draw_photographs(folder / "photos" / breed, breed, 12)
        draw_photographs(folder / "golden-photos" / breed, breed, 6, seed=500)
    # A copy, since a page writes into it.
    shutil.copytree(ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "configs").mkdir()
    (folder / "configs" / "nightly.yaml").write_text(_NIGHTLY)
    (folder / ".pedigree" / "stack").mkdir(parents=True)
    (folder / ".pedigree" / "stack" / "password").write_text("a password of the sandbox")
    (folder / ".pedigree" / "demo").mkdir()
    (folder / ".pedigree" / "demo" / "store").symlink_to(folder / ".pedigree" / "store")
    shutil.copy(folder / "photos/beagle/0001.jpg", folder / "dog.jpg")
    box = Inbox(str(folder / "inbox"))
    (folder / "sent").mkdir()
    for seed in (901, 902):
        draw("corgi", "white", seed).save(folder / "sent" / f"{seed}.jpg")
        data = (folder / "sent" / f"{seed}.jpg").read_bytes()
        box.put(make_record(data), data)
    with SyncPrefectClient(prefect) as client:
        client.create_work_pool(WorkPoolCreate(name=_POOL, type="process"), overwrite=True)
    with ExitStack() as stack:
        yield Sandbox(folder, prefect, stack)
