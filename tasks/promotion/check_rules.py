"""Step 4b: before anything is trained, see that the rules and the golden set fit this dataset version."""

from configs import schema
from configs.errors import PedigreeError, SettingsError
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.gate.rule_check import RuleCheck, describe_unknown_name, find_overlaps
from tasks.domain.images.near_duplicates import group_near_duplicates
from tasks.evaluation.evaluation_sets import build_evaluation_set, golden_rows
from tasks.step import step
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.manifests import read_manifest
from tasks.stores.tables.images import ImageStore

# So many overlapping images are named in the sentence.
_NAMED = 5


@step(hours=2)
def check_rules(dataset: Dataset, settings: schema.Settings) -> RuleCheck:
    """Raise Problem where rules name what does not exist, the golden set is trained on, or the ledger was altered."""
    Ledger(settings.store.url).verified_entries()
    rows, golden = read_manifest(settings.store.url, dataset.hash), golden_rows(settings)
    evaluation_set = build_evaluation_set(settings.store.url, [*rows, *golden])
    wrong = next(filter(None, (describe_unknown_name(rule, evaluation_set) for rule in settings.gate.parsed)), "")
    if wrong:
        raise SettingsError(f"gate.rules: {wrong}.")
    if golden:
        _check_overlaps(rows, golden, settings)
    return RuleCheck(len(golden))


def _check_overlaps(rows: list[Row], golden: list[Row], settings: schema.Settings) -> None:
    trained = [row for row in rows if row.split in {Split.TRAIN, Split.VALIDATION}]
    hashes = ImageStore(settings.store.url).hashes([row.image for row in (*trained, *golden)])
    shared = find_overlaps(golden, trained, group_near_duplicates(hashes, settings.dataset.near_duplicate_bits))
    if shared:
        pairs = ", ".join(f"{overlap.golden} and {overlap.trained}" for overlap in shared[:_NAMED])
        more = f" and {len(shared) - _NAMED:,} more" if len(shared) > _NAMED else ""
        message = f"The golden set is not apart from what is trained on: the same or alike are {pairs}{more}; take them"
        raise PedigreeError(f"{message} out of the source, or make the golden set again without them.")
