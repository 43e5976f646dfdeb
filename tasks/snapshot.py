"""Step 1: list the source, and keep what is different from the last look."""

from datetime import UTC, datetime

from configs.problems import Problem
from configs.schema import Source, Store
from tasks.domain.night import Snapshot
from tasks.step import step
from tasks.stores.bucket import open_bucket
from tasks.stores.snapshots import SnapshotStore


@step
def snapshot(source: Source, store: Store) -> Snapshot:
    """List the source and record the changes; raise Problem when it holds nothing at all."""
    taken = datetime.now(UTC).isoformat()
    entries = list(open_bucket(source.url).entries())
    if not entries:
        message = f"The source {source.url} is empty: put photographs into it, one folder a class."
        raise Problem(message)
    changed = SnapshotStore(store.url).record(source.url, taken, entries)
    return Snapshot(source.url, taken, len(entries), changed)
