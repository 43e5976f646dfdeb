"""What is installed from a wheel holds all that the checkout does."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.servers import ROOT

# Everything that the code reads beside itself: settings, weights, locks, deployments, the served model's entry point.
COMMAND = """
import json
import flows.cli.app
from configs.environment import code_version, lock_hash
from flows.demo import demo_settings
from infra.orchestration import deployments
from pathlib import Path
from tasks.domain.datasets.version_diff import diff_versions
from tasks.modeling.backbone.loading import load_backbone
from tasks.reports.pages.diff_page import render_version_diff
from tasks.serving import model_package, probe_process
settings = demo_settings(Path("place"))
print(json.dumps({
    "home": flows.cli.app.__file__,
    "lock": lock_hash(),
    "commit": code_version()["git_commit"],
    "backbone": load_backbone(settings.backbone).fingerprint,
    "deployments": deployments._FILE.is_file(),
    "probe": probe_process._PROGRAM.is_file(),
    "page": render_version_diff("a", "b", diff_versions([], []), {}).startswith("<!doctype html>"),
    "code": all(
        (model_package._ROOT / path).is_file()
        for engine in ("tensorflow", "onnxruntime")
        for path in model_package.carried_code(engine)
    ),
}))
"""


def test_a_wheel_holds_everything_that_runs(tmp_path: Path) -> None:
    """Unpacked far from the checkout it finds its settings, the demo's weights, the lock and the deployments."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own build
    (wheel,) = tmp_path.glob("*.whl")
    folder = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(folder)
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", COMMAND],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer.pop("home").startswith(str(folder))
    assert answer.pop("commit") == "not a git checkout"
    assert all(answer.values())
