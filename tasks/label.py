"""Step 3: say what every image shows, from the folders that people put it into."""

from configs import schema
from tasks.domain.labels import label_images
from tasks.domain.night import Ingested, Labels
from tasks.step import step
from tasks.stores.datasets import write_labels
from tasks.stores.snapshots import SnapshotStore


@step
def label(ingested: Ingested, source: schema.Source, store: schema.Store) -> Labels:
    """Label the images that the source holds now; the same bytes under two labels are a conflict, kept by name."""
    labelling = label_images(SnapshotStore(store.url).located(ingested.source), source.layout)
    return Labels(
        name=write_labels(store.url, labelling),
        images=len(labelling.labelled),
        unlabelled=len(labelling.unlabelled),
        conflicts=len(labelling.conflicts),
    )
