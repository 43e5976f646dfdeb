"""The very end of a night: write down which listing it has answered, so that a watcher knows what is new since."""

from configs import schema
from tasks.domain.ingestion.source_objects import Snapshot
from tasks.domain.runs.outcome import Outcome
from tasks.step import step
from tasks.stores.files import records


@step(hours=2, logged=False)
def mark_processed(listed: Snapshot, outcome: Outcome, store: schema.Store) -> Outcome:
    """Note that today's listing is answered, and hand the outcome on; a former day's listing answers nothing."""
    if not listed.moment:
        records.write_processed_snapshot(store.url, listed.source, listed.taken, str(outcome))
    return outcome
