"""Step 4: make a dataset version, a list of images that is named by its own hash."""

from collections.abc import Mapping

from configs import schema
from tasks.domain.classes import Selection, select
from tasks.domain.duplicates import groups
from tasks.domain.labels import Labelling
from tasks.domain.manifest import Row, dataset_hash
from tasks.domain.night import Dataset, Labels
from tasks.domain.recipe import recipe
from tasks.domain.splits import Assigned, Shares, Split, assign
from tasks.domain.wording import count
from tasks.step import step
from tasks.stores.datasets import read_labels, write_manifest
from tasks.stores.images import ImageStore
from tasks.stores.ledger import Ledger
from tasks.stores.splits import SplitStore

_NAMED = 3  # So many waiting classes are named in the reason, the others are counted.


@step(hours=2)
def assemble(labels: Labels, settings: schema.Settings, force: bool) -> Dataset:  # noqa: FBT001 - the run's own word
    """Give new images their split for life, hold small classes back, and name what is left by its hash."""
    store = settings.store.url
    labelling = read_labels(store, labels.name)
    selection = select(_rows(labelling, _splits(labelling, settings)), settings.dataset.min_images_per_class)
    name = dataset_hash(selection.kept)
    entries = Ledger(store).entries()
    judged = [one for one in entries if one.by_the_gate]
    done = not force and any((one.dataset, one.recipe) == (name, recipe(settings)) for one in judged)
    lacking = _lacking(selection)
    if not (lacking or done):
        write_manifest(store, name, selection.kept)
    return Dataset(
        hash=name,
        parent=next((one.dataset for one in reversed(judged) if one.dataset != name), None),
        images=len(selection.kept),
        classes=tuple(sorted({row.label for row in selection.kept})),
        waiting=tuple(f"{one.label} ({one.reason})" for one in selection.waiting),
        state="waiting" if lacking else "unchanged" if done else "new",
        reason=lacking or ("nothing new to learn from" if done else "to be trained on"),
        decided=entries[-1].number if entries else 0,
    )


def _splits(labelling: Labelling, settings: schema.Settings) -> dict[str, Assigned]:
    store = settings.store.url
    images = {row.image for row in labelling.labelled}
    shares = Shares(test=settings.dataset.test_percent, validation=settings.dataset.validation_percent)

    def decide(known: Mapping[str, Assigned]) -> Mapping[str, Assigned]:
        if images <= known.keys():
            return {}
        hashes = ImageStore(store).hashes(images | known.keys())
        return assign(groups(hashes, settings.dataset.near_duplicate_bits), known, shares)

    return SplitStore(store).settle(decide)


def _rows(labelling: Labelling, splits: dict[str, Assigned]) -> list[Row]:
    return [
        Row(image=one.image, label=one.label, split=splits[one.image].split, attributes=one.attributes, key=one.key)
        for one in labelling.labelled
    ]


def _lacking(selection: Selection) -> str:
    """Say in one sentence why nothing can be trained yet; nothing when it can."""
    labels = sorted({row.label for row in selection.kept})
    if len(labels) < 2:  # noqa: PLR2004
        has = f"only {labels[0]} has" if labels else "no class has"
        waiting = "; ".join(f"{one.label} waits: {one.reason}" for one in selection.waiting[:_NAMED])
        waiting += f"; {more} more wait" if (more := len(selection.waiting) - _NAMED) > 0 else ""
        return f"{has} enough images, and a model needs two classes" + (f" ({waiting})" if waiting else "")
    for split in (Split.VALIDATION, Split.TEST):
        if not any(row.split is split for row in selection.kept):
            return f"{count(len(selection.kept), 'image')}, none of them in the {split.value} split: add more images"
    return ""
