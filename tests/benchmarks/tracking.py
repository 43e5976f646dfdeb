"""What it costs to write a run of 121 classes with slices into MLflow: requests and seconds.

python -m tests.benchmarks.tracking URL [TURNS]
"""

import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from requests import PreparedRequest, Response, Session

from configs.environment import prepare_environment
from tasks.stores.tracking.client import check_tracking

# MLflow reads the environment when it is imported, and would count itself otherwise.
prepare_environment()

from configs.schema import Settings  # noqa: E402
from tasks.domain.registry.model_record import flatten_settings  # noqa: E402
from tasks.domain.runs.mlflow_summary import collect_evaluation_metrics  # noqa: E402
from tasks.stores.tracking import runs  # noqa: E402
from tests.tasks.domain.measurements import COATS  # noqa: E402
from tests.tasks.reports.reports import report  # noqa: E402

# One more than 120, which the three coats do not divide: so each class has images of each coat.
CLASSES = tuple(f"breed {number:03}" for number in range(121))
_IMAGES = 121 * 30
_EPOCHS = 20


@contextmanager
def counted() -> Iterator[list[str]]:
    """Yield the list of requests that any client of this process sends meanwhile."""
    sent: list[str] = []
    send: Callable[..., Response] = Session.send

    def counting(session: Session, request: PreparedRequest, **named: object) -> Response:
        sent.append(f"{request.method} {request.path_url}")
        return send(session, request, **named)

    Session.send = counting  # type: ignore[method-assign, assignment]
    try:
        yield sent
    finally:
        Session.send = send  # type: ignore[method-assign]


def write_run(url: str, experiment: str = "speed", classes: tuple[str, ...] = CLASSES, images: int = _IMAGES) -> int:
    """Write all figures, settings and tags of one run the way its steps do, and return how many figures these are."""
    settings = Settings.model_validate({"source": {"url": "photos"}, "store": {"url": "store"}})
    figures = collect_evaluation_metrics(report(classes, images).challenger.evaluation)
    run_id = runs.start_run(url, experiment, flatten_settings(settings), {"pedigree.dataset": "d" * 64})
    runs.log_dataset(url, run_id, "d" * 64, "s3://kennel/photographs", images)
    losses = dict.fromkeys(("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"), 0.5)
    runs.log_epochs(url, run_id, [(epoch, losses) for epoch in range(1, _EPOCHS + 1)])
    runs.log_metrics(url, run_id, figures, {"pedigree.worst_slice": "coat=white"})
    verdict = {f"pedigree.{name}": "promoted" for name in ("outcome", "decision", "model_version", "reason")}
    runs.finish(url, run_id, "2026-11-24 promoted, 120 new", verdict, {"dataset/images": float(images)})
    return len(figures)


def main(url: str, turns: int) -> None:
    """Print a Markdown table; the first turn, which makes the experiment, does not count."""
    check_tracking(url)
    write_run(url)
    seconds = []
    for _ in range(turns):
        with counted() as sent:
            started = perf_counter()
            figures = write_run(url)
            seconds.append(perf_counter() - started)
    print("| figures | slices' values | requests | seconds, median (least to most) |")
    print("|---|---|---|---|")
    spread = f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
    print(f"| {figures:,} | {len(COATS)} | {len(sent)} | {spread} |")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5)
