"""Results of labelling: how the statements of a manifest match the keys of a source, and what could not be used."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeVar

from tasks.domain.labels.manifest_formats.references import KeyIndex, without_query
from tasks.domain.labels.manifest_formats.statements import ParsedManifest, Statement, join_names
from tasks.domain.phrasing import count

Item = TypeVar("Item")

# How many examples of a kind are named beside their number.
_MAX_EXAMPLES = 3


class Examples(NamedTuple):
    """A count with a few examples.

    Attributes:
        number: How many there are.
        first: The first few of them, as text.
    """

    number: int = 0
    first: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Name the first few, and say how many more there are."""
        more = self.number - len(self.first)
        return "; ".join(self.first) + (f"; and {more:,} more" if more else "")


NO_EXAMPLES = Examples()


@dataclass(frozen=True, slots=True)
class ManifestUse:
    """What of a manifest could not be used, and what of the source it does not label.

    Attributes:
        rows: Statements that were read.
        fits: Those that are about an object of the source.
        missing: References that fit no object of the source.
        skipped: Rows that could not be read.
        doubtful: Rows whose label the manifest itself calls wrong.
        ambiguous: References that may mean several keys.
        without_row: Images of the source that no row is about.
        without_label: Images whose rows give no label.
    """

    rows: int
    fits: int
    missing: Examples = NO_EXAMPLES
    skipped: Examples = NO_EXAMPLES
    doubtful: Examples = NO_EXAMPLES
    ambiguous: Examples = NO_EXAMPLES
    without_row: Examples = NO_EXAMPLES
    without_label: Examples = NO_EXAMPLES

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each figure that is not zero, for the run log and the data card."""
        if self.missing.number and not self.fits:
            yield (
                f"no reference of the manifest fits an object of the source: {self.missing}; write keys, or say in "
                "labels.root where the references start"
            )
        elif self.missing.number:
            yield f"{count(self.missing.number, 'reference')} of the manifest not in the source: {self.missing}"
        if self.skipped.number:
            yield f"{count(self.skipped.number, 'row')} of the manifest skipped: {self.skipped}"
        if self.doubtful.number:
            yield f"{count(self.doubtful.number, 'row')} of the manifest doubtful and not used: {self.doubtful}"
        if self.ambiguous.number:
            several = count(self.ambiguous.number, "reference")
            yield f"{several} of the manifest not used, since several objects fit: {self.ambiguous}"
        if self.without_row.number:
            yield f"the manifest says nothing of {count(self.without_row.number, 'object')}: {self.without_row}"
        if self.without_label.number:
            nameless = count(self.without_label.number, "object")
            yield f"the manifest gives no label for {nameless} that it names: {self.without_label}"


@dataclass(frozen=True, slots=True)
class MatchedStatements:
    """The statements of a manifest, by how many keys of the source their references fit.

    Attributes:
        statements: Those that fit one key, each with the key.
        missing: The references that fit no key.
        ambiguous: Those that fit several keys, each with the keys.
    """

    statements: list[tuple[str, Statement]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ambiguous: list[tuple[Statement, tuple[str, ...]]] = field(default_factory=list)


def match_statements(reading: ParsedManifest, index: KeyIndex) -> MatchedStatements:
    """Find the key of every statement.

    Args:
        reading: The statements of a manifest.
        index: The keys of the source.

    Returns:
        The statements, by how many keys fit.
    """
    matched = MatchedStatements()
    for statement in reading.statements:
        keys = index.find_keys(statement.reference, stems=reading.stems)
        if len(keys) == 1:
            matched.statements.append((keys[0], statement))
        elif keys:
            matched.ambiguous.append((statement, keys))
        else:
            matched.missing.append(statement.reference)
    return matched


def count_manifest_use(reading: ParsedManifest, matched: MatchedStatements, keys: Iterable[str]) -> ManifestUse:
    """Count what could not be used of a manifest, and the keys that it does not label.

    Args:
        reading: What was read of the manifest.
        matched: Its statements with their keys.
        keys: The keys of the source's images.

    Returns:
        The counts, with examples.
    """
    named = {key for key, _ in matched.statements}
    labelled = {key for key, statement in matched.statements if statement.label}
    present = sorted(keys)
    doubtful = [statement for statement in reading.statements if statement.doubtful]
    return ManifestUse(
        rows=len(reading.statements),
        fits=len(matched.statements),
        missing=_examples(matched.missing, lambda reference: join_names([without_query(reference)])),
        skipped=_examples(reading.skipped, str),
        doubtful=_examples(doubtful, lambda row: f"{row.place}, {join_names([row.reference])}"),
        ambiguous=_examples(
            matched.ambiguous,
            lambda pair: f"{pair[0].place}, {join_names([pair[0].reference])}, may be {join_names(pair[1])}",
        ),
        without_row=_examples([key for key in present if key not in named], lambda key: join_names([key])),
        without_label=_examples(
            [key for key in present if key in named and key not in labelled], lambda key: join_names([key])
        ),
    )


def _examples(items: Sequence[Item], describe: Callable[[Item], str]) -> Examples:
    return Examples(len(items), tuple(describe(item) for item in items[:_MAX_EXAMPLES]))


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a run's images; the rows are in the store.

    Attributes:
        name: The name of the rows in the store.
        images: How many images have a label.
        unlabelled: How many have none.
        conflicts: How many have two.
        left_out: How many are of classes that are left out.
        missing: How many keys only a manifest knows.
        forgotten: How many were removed for good.
        manifest: What of the manifest could not be used; None without one.
    """

    name: str
    images: int
    unlabelled: int
    conflicts: int
    left_out: int
    missing: int
    forgotten: int
    manifest: ManifestUse | None = None

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Build the labels again from what ``asdict`` made of them, also after it was JSON."""
        use = facts["manifest"]
        return cls(**{**facts, "manifest": use and ManifestUse(**{name: _example(part) for name, part in use.items()})})

    def __str__(self) -> str:
        """Say how many images have a label, none or two, how many are left out, and what of the manifest is unused."""
        parts = [f"{count(self.images, 'labelled image')}, {self.unlabelled:,} without a label"]
        parts += [count(self.conflicts, "conflict")] if self.conflicts else []
        parts += [f"{self.left_out:,} of classes left out"] if self.left_out else []
        parts += [f"{self.forgotten:,} removed for good"] if self.forgotten else []
        return "; ".join((", ".join(parts), *(self.manifest.sentences() if self.manifest else ())))


def _example(part: Any) -> Any:  # noqa: ANN401 - a number, or a number with examples
    return part if isinstance(part, int) else Examples(part[0], tuple(part[1]))
