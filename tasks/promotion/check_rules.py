"""Step 4b: before anything is trained, see that the rules and the golden set fit this dataset version."""

from configs import schema
from configs.errors import Problem, SettingsProblem
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.gate.rule_check import Reviewed, overlaps, unknown_name
from tasks.domain.images.near_duplicates import groups
from tasks.evaluation.evaluation_sets import exam, golden_rows
from tasks.step import step
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.manifests import read_manifest
from tasks.stores.tables.images import ImageStore

# So many overlapping images are named in the sentence.
_NAMED = 5


@step(hours=2)
def review(dataset: Dataset, settings: schema.Settings) -> Reviewed:
    """Raise Problem where rules name what does not exist, the golden set is trained on, or the ledger was altered."""
    Ledger(settings.store.url).checked()
    rows, golden = read_manifest(settings.store.url, dataset.hash), golden_rows(settings)
    seen = exam(settings.store.url, [*rows, *golden])
    wrong = next(filter(None, (unknown_name(rule, seen) for rule in settings.gate.parsed)), "")
    if wrong:
        raise SettingsProblem(f"gate.rules: {wrong}.")
    if golden:
        _apart(rows, golden, settings)
    return Reviewed(len(golden))


def _apart(rows: list[Row], golden: list[Row], settings: schema.Settings) -> None:
    trained = [row for row in rows if row.split in {Split.TRAIN, Split.VALIDATION}]
    hashes = ImageStore(settings.store.url).hashes([row.image for row in (*trained, *golden)])
    found = overlaps(golden, trained, groups(hashes, settings.dataset.near_duplicate_bits))
    if found:
        pairs = ", ".join(f"{one.golden} and {one.trained}" for one in found[:_NAMED])
        more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
        message = f"The golden set is not apart from what is trained on: the same or alike are {pairs}{more}; take them"
        raise Problem(f"{message} out of the source, or make the golden set again without them.")
