"""A run at a terminal looks at the source first: where there is nothing to do, it ends as its flow would have ended.

So no embedded Prefect server is started for nothing, which takes ten times as long as the look. Where a Prefect server
runs, the flow is run: people look there whether their nights took place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter

from configs.environment import check_home, home, prefect_address, prepare_environment
from configs.schema import Settings
from infra import stack
from tasks.domain.ingestion.source_objects import Snapshot
from tasks.domain.runs.quiet_run import QuietRun
from tasks.domain.runs.results import Outcome, RunData, summarize_untrained_run
from tasks.ingestion.source_listing import at_hand
from tasks.reports.prefect_ui.progress import print_line
from tasks.runs.look import Kind, look
from tasks.step import format_result
from tasks.stores.store import Store


@dataclass(frozen=True)
class QuietEnd:
    """The end of a run that finds nothing to do.

    Attributes:
        quiet: What the run comes to.
        listed: The listing of the source.
        seconds: How long the look at the source took.
        settings: All of them.
    """

    quiet: QuietRun
    listed: Snapshot
    seconds: float
    settings: Settings

    def finish_retrain(self) -> Outcome:
        """Tell of a retraining, note that the listing is answered, and return how the run ended."""
        self._tell()
        outcome = summarize_untrained_run(self.quiet.data, {"snapshot": round(self.seconds, 3)})
        outcome = replace(outcome, reason="; ".join((outcome.reason, *self.quiet.words)))
        answered = Store(self.settings.store.url).processed_snapshots
        answered.write(self.listed.source, self.listed.taken, str(outcome))
        return outcome

    def finish_rebuild(self) -> RunData:
        """Tell of a rebuild, and return what was ingested, the labels, and the dataset version."""
        self._tell()
        if self.quiet.card:
            print_line(format_result("write_data_card", self.quiet.card))
        return self.quiet.data

    def _tell(self) -> None:
        data = self.quiet.data
        lines = {"preflight": self.settings, "snapshot": self.listed, "ingest": data.ingested}
        for name, result in {**lines, "label": data.labels, "assemble": data.dataset}.items():
            print_line(format_result(name, str(result)))


@contextmanager
def looked_at(kind: Kind, settings: Settings, *, anyway: bool) -> Iterator[QuietEnd | None]:
    """Look at the source, unless a Prefect server runs; a flow that is run inside does not list the source again.

    Args:
        kind: The flow that would run.
        settings: All of them, resolved.
        anyway: Whether the flow is run whatever the source holds.

    Yields:
        What is left to do of a run that finds nothing to do; None where the flow has to be run.
    """
    if anyway or prefect_address() or stack.prefect_api(home()):
        yield None
        return
    prepare_environment()
    check_home()
    started = perf_counter()
    foreseen = look(kind, settings)
    seconds = perf_counter() - started
    with at_hand(settings.source, foreseen.listing):
        yield QuietEnd(foreseen.quiet, foreseen.listing.facts, seconds, settings) if foreseen.quiet else None
