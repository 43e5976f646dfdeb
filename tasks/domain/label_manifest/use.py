"""How a manifest and a source fit: which statement is about which key, and what either says nothing of."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tasks.domain.label_manifest.references import KeyIndex
from tasks.domain.label_manifest.statements import Reading, Statement, shown
from tasks.domain.wording import count


class Counted(NamedTuple):
    """How many there are, and the first of them in words."""

    number: int = 0
    first: str = ""


NO = Counted()


@dataclass(frozen=True, slots=True)
class ManifestUse:
    """What of a manifest could not be used, and what of the source it does not label.

    Args:
        rows: Statements that were read.
        fits: Those that are about an object of the source.
        skipped: Rows that could not be read.
        doubtful: Rows whose label the manifest itself calls wrong.
        ambiguous: References that may mean several keys.
        without_row: Images of the source that no row is about.
        without_label: Images whose rows give no label.
    """

    rows: int
    fits: int
    skipped: Counted = NO
    doubtful: Counted = NO
    ambiguous: Counted = NO
    without_row: Counted = NO
    without_label: Counted = NO

    def sentences(self) -> Iterator[str]:
        """Say each figure that is not nothing, in the words of the run's log and the data card."""
        if self.rows and not self.fits:
            yield "no reference of the manifest fits a key of the source: if they start elsewhere, set labels.root"
        if self.skipped.number:
            yield f"{count(self.skipped.number, 'row')} of the manifest skipped: {self.skipped.first}"
        if self.doubtful.number:
            yield f"{count(self.doubtful.number, 'row')} of the manifest doubtful and not used: {self.doubtful.first}"
        if self.ambiguous.number:
            several = count(self.ambiguous.number, "reference")
            yield f"{several} of the manifest may mean several objects and are not used: {self.ambiguous.first}"
        if self.without_row.number:
            yield f"the manifest says nothing of {count(self.without_row.number, 'object')}: {self.without_row.first}"
        if self.without_label.number:
            nameless = count(self.without_label.number, "object")
            yield f"the manifest gives no label for {nameless} that it names: {self.without_label.first}"


@dataclass(frozen=True, slots=True)
class Matched:
    """Statements with their keys, the references that fit none, and those that fit several."""

    statements: list[tuple[str, Statement]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ambiguous: list[tuple[Statement, tuple[str, ...]]] = field(default_factory=list)


def match(reading: Reading, index: KeyIndex) -> Matched:
    """Find the object of every statement."""
    matched = Matched()
    for statement in reading.statements:
        keys = index.named(statement.reference, stems=reading.stems)
        if len(keys) == 1:
            matched.statements.append((keys[0], statement))
        elif keys:
            matched.ambiguous.append((statement, keys))
        else:
            matched.missing.append(statement.reference)
    return matched


def manifest_use(reading: Reading, matched: Matched, keys: Iterable[str]) -> ManifestUse:
    """Count what could not be used of a manifest, and which of these keys it does not label."""
    named = {key for key, _ in matched.statements}
    labelled = {key for key, statement in matched.statements if statement.label}
    present = sorted(keys)
    doubtful = [statement for statement in reading.statements if statement.doubtful]
    return ManifestUse(
        rows=len(reading.statements),
        fits=len(matched.statements),
        skipped=_counted(reading.skipped, [str(row) for row in reading.skipped[:1]]),
        doubtful=_counted(doubtful, [f"{row.place}, {shown([row.reference])}" for row in doubtful[:1]]),
        ambiguous=_counted(
            matched.ambiguous,
            [
                f"{row.place}, {shown([row.reference])}, may be {shown(fitting)}"
                for row, fitting in matched.ambiguous[:1]
            ],
        ),
        without_row=_first([key for key in present if key not in named]),
        without_label=_first([key for key in present if key in named and key not in labelled]),
    )


def _first(keys: Sequence[str]) -> Counted:
    return _counted(keys, [f"such as {shown(keys[:1])}"])


def _counted(those: Sequence[object], words: Sequence[str]) -> Counted:
    return Counted(len(those), words[0] if those else "")
