"""The commands of the pages that the sandbox does not run: why each, and which test runs it instead."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotRun:
    """A pattern that a whole command matches.

    Attributes:
        pattern: A regular expression for the beginning of the command.
        reason: Why it does not run here.
        test: The test that runs the same, or checks what it names; empty where none can.
    """

    pattern: str
    reason: str
    test: str = ""

    def matches(self, command: str) -> bool:
        """Tell whether a command begins so."""
        return bool(re.match(self.pattern, command))


_STACK = "it starts the whole stack, which takes half a minute"
_CLUSTER = "it needs a cluster of Kubernetes"
_HOURS = "it measures for minutes to hours, on photographs that no repository holds"
_DOWNLOAD = "it downloads gigabytes, or works on them"
_DOCKER = "it needs an engine of containers"

NOT_RUN = (
    NotRun("make demo", "it installs, and plays for a minute or two", "tests/e2e/test_demo.py::test_the_story"),
    NotRun("make (check|test|install-dev|help)", "continuous integration runs it before every test"),
    NotRun("make install", "make check installs as it does"),
    NotRun(r"\. \.venv/bin/activate", "the sandbox finds the commands already"),
    NotRun(r"(\.venv/bin/)?pedigree up", _STACK, "tests/infra/test_stack.py::test_all_parts_run_and_answer"),
    NotRun(
        "pedigree open", _STACK, "tests/infra/test_stack_access.py::test_the_pages_open_logged_in_and_ask_nobody_else"
    ),
    NotRun(
        "pedigree down", _STACK, "tests/infra/test_stack_access.py::test_the_servers_of_a_stopped_stack_open_nothing"
    ),
    NotRun(
        "pedigree backbone compare",
        "the demo's network has one cut, so there is nothing to compare",
        "tests/tasks/features/test_backbone_cuts_comparison.py::test_pairs_are_those_of_the_last_cuts",
    ),
    NotRun(
        "pedigree serve .*--host 0.0.0.0",
        "it would open a port of this machine to others",
        "tests/infra/local_stack/test_service.py::test_a_service_that_others_reach_needs_a_key_before_anything_is_started",
    ),
    NotRun(
        r"\.venv/bin/pedigree retrain .*fine_tuning.from_block=mixed9",
        "it fine-tunes the network for minutes",
        "tests/e2e/test_fine_tuning.py::test_a_run_fine_tunes_and_the_next_ones_know_it",
    ),
    NotRun(
        r"\.venv/bin/pedigree (retrain|worker) .*training.method=fine-tune$",
        "it needs two machines",
        "tests/e2e/test_fine_tuning.py::test_two_machines_share_a_run",
    ),
    NotRun(
        r"\.venv/bin/pedigree retrain .*source.url=s3://",
        "it needs a bucket",
        "tests/e2e/test_retrain.py::test_folder_and_bucket_give_the_same_dataset",
    ),
    NotRun(r"\.venv/bin/pedigree retrain .*(source.url=(pets|Images)|monkeys.yaml)", _DOWNLOAD),
    NotRun(r"curl -LO https?://", _DOWNLOAD),
    NotRun("tar xz?f ", _DOWNLOAD),
    NotRun(r"for file in images/", _DOWNLOAD),
    NotRun(r"(\.venv/bin/)?python -m tests\.benchmarks\.", _HOURS),
    NotRun(r"\.venv/bin/uv pip install", "it changes the environment in which the tests run"),
    NotRun(
        "pedigree model export|pip install -r requirements.txt|python predict.py",
        "it writes ONNX by TensorFlow, and the rest runs in the folder that it makes",
        "tests/tasks/exporting/test_export_model.py::test_it_answers_photographs_as_evaluated_where_this_project_is_not",
    ),
    NotRun("kubectl ", _CLUSTER, "tests/infra/orchestration/test_deployments.py::test_the_kubernetes_pool_is_whole"),
    NotRun(
        "docker build",
        _DOCKER,
        "tests/flows/cli/test_serve_manifests.py::test_the_image_has_two_stages_and_runs_without_root",
    ),
    NotRun("docker run", _DOCKER, "tests/flows/cli/test_serve_manifests.py::test_commands_of_image_and_pod_exist"),
    NotRun(
        "docker compose",
        _DOCKER,
        "tests/infra/orchestration/test_deployments_compose.py::test_every_command_exists_with_its_options",
    ),
    NotRun("aws --endpoint-url", "it fills the S3 server of docker compose"),
    NotRun(
        "dask scheduler",
        "it needs a cluster",
        "tests/tasks/engine/test_dask_cluster.py::test_work_goes_over_tls_and_no_further_without_trust",
    ),
    NotRun("sbatch ", "it needs SLURM"),
    NotRun(
        r"pedigree retrain -c nightly.yaml --set scale.engine=dask",
        "it needs a cluster",
        "tests/tasks/engine/test_dask_cluster.py::test_work_goes_over_tls_and_no_further_without_trust",
    ),
    NotRun(
        r'PATH="\$PWD/.venv/bin:\$PATH" mlflow models serve',
        "it makes an environment from a package registry",
        "tests/tasks/serving/test_pyfunc_model.py::test_a_served_photograph_gets_the_evaluation_s_probabilities",
    ),
    NotRun(r"git |\.ci/run|make lock", "it makes a release of this repository"),
    NotRun(
        r"make wheel|python3.11 -m venv|/tmp/try/|cd /tmp/try",
        "it makes a wheel and an environment",
        "tests/e2e/test_wheel.py::test_a_wheel_holds_everything_that_runs",
    ),
)
