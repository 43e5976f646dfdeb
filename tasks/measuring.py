"""Both models on the test split and on the golden set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from configs import schema
from configs.problems import Problem
from tasks.domain.answers import Predictions
from tasks.domain.decisions import Decision
from tasks.domain.labels import spelled
from tasks.domain.manifest import Row
from tasks.domain.measured import Measured, measure
from tasks.domain.night import Dataset, Embedded, FeatureSet, Trained
from tasks.domain.relabelling import Relabelling
from tasks.domain.splits import Split
from tasks.domain.whole_classes import Vocabulary
from tasks.exams import embed_golden, exam, excused, golden_rows
from tasks.label_changes import label_changes
from tasks.predicting import predict
from tasks.stores.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Sets:
    """What each model says of the test images and of the golden ones; None where there are none."""

    test: Predictions
    golden: Predictions | None

    def today(self, words: Vocabulary) -> "Sets":
        """Give classes that were renamed or merged since their names of today."""
        if not words.former:
            return self
        test, golden = (
            said.named([words.of_former(label) for label in said.classes]) if said else None
            for said in (self.test, self.golden)
        )
        return Sets(test or self.test, golden)


@dataclass(frozen=True, slots=True)
class Contest:
    """Both models' answers; there may be no champion, or one that can't be measured for a reason.

    ``changes`` is what became of the labels under which the champion was judged, as far as that can be known.
    """

    challenger: Sets
    champion: Sets | None
    decision: Decision | None
    problem: str
    changes: Relabelling | None = None


def contest(
    version: Sequence[Row], dataset: Dataset, embedded: Embedded, trained: Trained, settings: schema.Settings
) -> Contest:
    """Let challenger and champion answer about a version's test images, the latter under today's names of its classes.

    Raises Problem where the champion no longer loads and the settings do not allow to judge without it.
    """
    golden, decision = golden_rows(settings), Ledger(settings.store.url).champion()
    rows = [row for row in version if row.split is Split.TEST]
    ours = _answers(trained.made, trained.head, (rows, golden), settings)
    if decision is None:
        return Contest(ours, None, None, "")
    changes = label_changes(version, decision, dataset.parent, settings)
    try:
        theirs = _answers(
            replace(embedded.champion, fingerprint=decision.backbone), decision.head, (rows, golden), settings
        )
    except Problem as error:
        return Contest(ours, None, decision, excused(error, decision.model_version, settings.gate), changes)
    return Contest(ours, theirs.today(changes.vocabulary) if changes else theirs, decision, "", changes)


def measured(rows: Sequence[Row], found: Contest, settings: schema.Settings) -> tuple[Measured, Measured | None]:
    """Measure what the models said on the test split and, where there is one, on the golden set."""
    store, minimum, former = settings.store.url, settings.gate.minimum_support, found.champion
    test = measure(found.challenger.test, former.test if former else None, exam(store, rows, found.changes), minimum)
    if found.challenger.golden is None:
        return test, None
    golden = exam(store, golden_rows(settings))
    return test, measure(found.challenger.golden, former.golden if former else None, golden, minimum)


def _answers(made: FeatureSet, head: str, sets: tuple[Sequence[Row], Sequence[Row]], settings: schema.Settings) -> Sets:
    rows, golden = sets
    if golden:
        embed_golden(golden, made, settings)
    return Sets(_said(made, head, rows, settings), _said(made, head, golden, settings) if golden else None)


def _said(made: FeatureSet, head: str, rows: Sequence[Row], settings: schema.Settings) -> Predictions:
    found = predict(settings.store.url, made, head, [row.image for row in rows])
    return found.named(spelled(found.classes, settings.labels.aliases))
