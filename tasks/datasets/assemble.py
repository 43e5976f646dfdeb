"""Step 4: make a dataset version, a list of images that is named by its own hash."""

from collections.abc import Mapping, Sequence

from configs import schema
from configs.errors import Problem
from tasks.domain.datasets.contradictions import Near, Twin, alike_images, contradictions
from tasks.domain.datasets.manifest import Dataset, Row, Selection, dataset_hash, select
from tasks.domain.datasets.published_splits import ATTRIBUTE, no_split, published, question, split_of_word
from tasks.domain.datasets.splits import Assigned, Shares, Split, assign
from tasks.domain.images.crops import grouped
from tasks.domain.images.near_duplicates import groups
from tasks.domain.labels.labeling import Labelling
from tasks.domain.labels.results import Labels
from tasks.domain.phrasing import count
from tasks.domain.registry.model_record import recipe
from tasks.step import step
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.manifests import read_labels, read_twins, write_manifest, write_twins
from tasks.stores.tables.images import ImageStore
from tasks.stores.tables.splits import SplitStore

_NAMED = 3  # So many waiting classes are named in the reason, the others are counted.


@step(hours=2)
def assemble(labels: Labels, settings: schema.Settings, force: bool) -> Dataset:  # noqa: FBT001 - the run's own word
    """Give new images their split for life, hold small classes back, and name what is left by its hash."""
    store = settings.store.url
    labelling = read_labels(store, labels.name)
    # A split is for life, so nobody gets one before it is clear what the folders mean.
    asked = question(labelling, settings.labels.layout)
    splits, together = ({}, {}) if asked else _splits(labelling, settings)
    rows = [] if asked else _rows(labelling, splits, settings.labels)
    selection = select(rows, settings.dataset.min_images_per_class)
    name = dataset_hash(selection.kept)
    entries = Ledger(store).entries()
    judged = [one for one in entries if one.by_the_gate]
    done = not force and any((one.dataset, one.recipe) == (name, recipe(settings)) for one in judged)
    lacking = asked or _lacking(selection) + _kept_out(labels, selection)
    alike = () if asked or (done and not lacking) else _contradictions(labelling, labels.name, together, settings)
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
        contradictory=alike_images(alike, {row.image for row in selection.kept}),
    )


def _splits(labelling: Labelling, settings: schema.Settings) -> tuple[dict[str, Assigned], dict[str, str]]:
    """Return every image's split, and the near-duplicate groups where new images made it necessary to look for them."""
    store, bits = settings.store.url, settings.dataset.near_duplicate_bits
    labels = {row.image: row.label for row in labelling.labelled}
    images = labels.keys()
    shares = Shares(test=settings.dataset.test_percent, validation=settings.dataset.validation_percent)
    words = published(labelling.labelled) if settings.labels.splits == "keep" else {}
    if odd := no_split(words):
        raise Problem(odd)
    obeyed = {image: split for image, word in words.items() if (split := split_of_word(word))}

    stored, together = ImageStore(store), dict[str, str]()

    def decide(known: Mapping[str, Assigned]) -> Mapping[str, Assigned]:
        if images <= known.keys():
            return {}
        # Another night may have added images meanwhile: then this is asked again.
        every, new = images | known.keys(), sorted(images - known.keys())
        together.clear()
        together.update(grouped(stored.hashes(every), stored.middles(every), stored.parts(new), bits))
        return assign(together, known, shares, labels, obeyed)

    return SplitStore(store).settle(decide), together


def _rows(labelling: Labelling, splits: dict[str, Assigned], labels: schema.Labels) -> list[Row]:
    # A split that is obeyed is no attribute: a slice of it would be the whole test split once more.
    dropped = {ATTRIBUTE} if labels.splits == "keep" else set()
    return [
        Row(
            image=one.image,
            label=one.label,
            split=splits[one.image].split,
            attributes=tuple(pair for pair in one.attributes if pair[0] not in dropped) if dropped else one.attributes,
            key=one.key,
        )
        for one in labelling.labelled
    ]


def _contradictions(
    labelling: Labelling, name: str, together: Mapping[str, str], settings: schema.Settings
) -> Sequence[Twin]:
    """Keep, beside the labelling, which near duplicates contradict each other, and return those under two labels.

    Args:
        labelling: What every image shows.
        name: The hash of the labelling: what was kept beside it is not worked out again.
        together: The near-duplicate group of each image, where they are known already.
        settings: Where the store is, and how many bits may differ between near duplicates.
    """
    store, bits = settings.store.url, settings.dataset.near_duplicate_bits
    if kept := read_twins(store, name, bits):
        return kept["labels"]
    hashes = ImageStore(store).hashes([one.image for one in labelling.labelled])
    near = Near(hashes, together or groups(hashes, bits), bits)
    labels = contradictions(near, {one.image: one.label for one in labelling.labelled})
    words = {image: split for image, word in published(labelling.labelled).items() if (split := split_of_word(word))}
    write_twins(store, name, bits, {"labels": labels, "splits": contradictions(near, words) if words else ()})
    return labels


def _kept_out(labels: Labels, selection: Selection) -> str:
    """Say, where nothing can be trained, how many images their labels keep out; nothing where there are none."""
    if _lacking(selection) == "":
        return ""
    parts = [f"{count(labels.conflicts, 'image')} under two labels"] * (labels.conflicts > 0)
    parts += [f"{count(labels.unlabelled, 'image')} without a label"] * (labels.unlabelled > 0)
    return f"; {' and '.join(parts)}, which pedigree data rejects names" if parts else ""


def _lacking(selection: Selection) -> str:
    """Say in one sentence why nothing can be trained yet; nothing when it can."""
    labels = sorted({row.label for row in selection.kept})
    if len(labels) < 2:  # noqa: PLR2004
        known = f"only {labels[0]}" if labels else "no class"
        waiting = "; ".join(f"{one.label} waits: {one.reason}" for one in selection.waiting[:_NAMED])
        waiting += f"; {more} more wait" if (more := len(selection.waiting) - _NAMED) > 0 else ""
        return f"{known} can be learned, and a model needs two classes" + (f" ({waiting})" if waiting else "")
    for split in (Split.VALIDATION, Split.TEST):
        if not any(row.split is split for row in selection.kept):
            return f"{count(len(selection.kept), 'image')}, none of them in the {split.value} split: add more images"
    return ""
