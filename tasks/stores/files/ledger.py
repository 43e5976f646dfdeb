"""The ledger: numbered decisions, each written by exactly one writer; it alone says who is champion."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

from configs.errors import AmbiguousError, PedigreeError, SettingsError
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.registry import decisions
from tasks.domain.registry.decisions import Decision
from tasks.stores.files.checksums import Checksums
from tasks.stores.files.records import reject_unknown_fields
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

_READS_AT_ONCE = 16
# After each attempt that fails another writer has succeeded.
_ATTEMPTS = 100
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Ledger:
    """The files ``ledger/<number>.json`` of a store, and a mark beside each that the registry shows."""

    objects: Bucket
    checksums: Checksums

    def entries(self) -> list[Decision]:
        """Return all decisions, the oldest first."""
        return [self._decision(key, data) for key, data in self._contents()]

    def files(self) -> list[str]:
        """List the files of all decisions, the oldest first."""
        return [entry.key for entry in self.objects.entries("ledger/") if entry.key.endswith(".json")]

    def read(self, key: str) -> Decision:
        """Read the decision in this file; raise PedigreeError when it is damaged."""
        return self._decision(key, self.objects.read(key))

    def _contents(self) -> list[tuple[str, bytes]]:
        """Read the files of all decisions, the oldest first."""
        keys = self.files()
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            return list(zip(keys, pool.map(self.objects.read, keys), strict=True))

    def _decision(self, key: str, data: bytes) -> Decision:
        try:
            return Decision(**reject_unknown_fields(Decision, json.loads(data), key, self.objects.url))
        except (ValueError, TypeError, AttributeError) as error:
            message = f"The file {key} in {self.objects.url} is damaged: put it back from a copy of the store."
            raise PedigreeError(message) from error

    def first_altered(self) -> str:
        """Return the key of the first entry that was changed or does not follow from those before it; else empty."""
        # An entry that is written meanwhile is only in the second listing.
        sums = self.checksums.read("ledger/")
        return self._first_altered(self._contents(), sums)

    def verified_entries(self) -> list[Decision]:
        """Return all decisions, after a check that none was changed, removed or added.

        Returns:
            The decisions, the oldest first.

        Raises:
            PedigreeError: The ledger is not as it was written, so that nothing may be decided on top of it.
        """
        sums = self.checksums.read("ledger/")
        contents = self._contents()
        if key := self._first_altered(contents, sums):
            raise PedigreeError(
                f"The ledger of {self.objects.url} is not as it was written, and nothing is decided on top of it: "
                f"{key} was changed, removed or added, or an entry before it was. Put the folders ledger and "
                "checksums/files/ledger back from one copy of the store; pedigree data verify latest names the files."
            )
        return [self._decision(key, data) for key, data in contents]

    def _first_altered(self, contents: Sequence[tuple[str, bytes]], sums: Mapping[str, set[str]]) -> str:
        """Return the key of the first entry that is not as it was written.

        An entry of an earlier Pedigree has no hash of those before it; the first later entry covers them all.

        Args:
            contents: The entries, the oldest first.
            sums: Their checksums by key.

        Returns:
            The key; empty where all entries are as they were written.
        """
        digest = hashlib.sha256()
        for key, data in contents:
            before = self._decision(key, data).before
            if (before and before != digest.hexdigest()) or (key in sums and sha256_of_bytes(data) not in sums[key]):
                return key
            digest.update(f"{key}\n".encode() + data)
        lost = sums.keys() - {key for key, _ in contents}
        return min((*lost, *self.orphans()), default="")

    def champion(self) -> Decision | None:
        """Return the decision that made the champion; None before there is one."""
        return decisions.find_champion(self.entries())

    def named(self, word: str) -> Decision:
        """Find the last decision about the model that a person means.

        Args:
            word: A model version (3 or models:/pedigree/3), champion, the beginning of an MLflow run id or of a head's
                hash, or a day such as 2026-11-01, which means the champion at its end (UTC).

        Returns:
            The decision.

        Raises:
            SettingsError: Nothing fits, or MLflow has given the number twice.
            AmbiguousError: The digits fit several models.
        """
        url, entries, selector = self.objects.url, self.entries(), word.rpartition("/")[2].rpartition("@")[2]
        until = [entry for entry in entries if entry.time[:10] <= selector] if _DAY.fullmatch(selector) else entries
        if selector == "champion" or _DAY.fullmatch(selector):
            serving = decisions.find_champion(until)
            matches = [serving] if serving else []
        else:
            matches = decisions.find_decisions(entries, selector)
        if len(matches) > 1:
            named = decisions.describe_candidates(matches)
            if selector not in {match.model_version for match in matches}:
                raise AmbiguousError(f"{word} fits {len(matches)} models, {named}: give more digits.")
            message = f"Version {word} is {len(matches)} models in the ledger of {url}, since MLflow gave the number"
            raise SettingsError(f"{message} again: name one of them by its weights, {named}.")
        if not matches:
            message = f"The ledger of {url} knows no model {word}: name a model version such as 3, champion, the id"
            raise SettingsError(f"{message} of an MLflow run, or a day such as 2026-11-01 that had a champion.")
        return matches[0]

    def append(self, decision: Decision) -> bool:
        """Write the next entry; return False where another writer took its number first."""
        key, digest = f"ledger/{decision.number:06}.json", hashlib.sha256()
        for former, data in self._contents():
            if former < key:
                digest.update(f"{former}\n".encode() + data)
        chained = replace(decision, before=digest.hexdigest())
        data = json.dumps(asdict(chained), ensure_ascii=False, indent=1).encode()
        return self.checksums.create(key, data)

    def decide(self, ruling: Callable[[list[Decision]], Decision | None]) -> Decision | None:
        """Write a decision that depends on all earlier ones.

        Args:
            ruling: Returns the decision, given all entries so far, or None where nothing is to be written; it is called
                again where another writer was faster.

        Returns:
            The decision that was written; None where there is none.

        Raises:
            PedigreeError: Another writer was faster a hundred times, as it looks where the ledger is damaged.
        """
        for _ in range(_ATTEMPTS):
            decision = ruling(self.verified_entries())
            if decision is None or self.append(decision):
                return decision
        url, advice = self.objects.url, "pedigree data verify latest names what is damaged"
        raise PedigreeError(f"Nothing can be added to the ledger of {url}: {advice}.")

    def mark_applied(self, number: int) -> None:
        """Mark a decision as applied: the registry shows it."""
        self.objects.create(f"ledger/{number:06}.applied", b"")

    def mark_refused(self, number: int, why: str) -> bool:
        """Mark a decision as refused: MLflow does not accept it.

        Args:
            number: The decision.
            why: What MLflow says.

        Returns:
            False where the same reason was noted before.
        """
        key = f"ledger/{number:06}.refused"
        if self.objects.create(key, why.encode()):
            return True
        try:
            if self.objects.read(key) == why.encode():
                return False
        except ObjectChangedError:
            return True
        self.objects.remove(key)
        return self.objects.create(key, why.encode())

    def orphans(self) -> list[str]:
        """List the marks whose decision is gone."""
        keys = {entry.key for entry in self.objects.entries("ledger/")}
        marks = [key for key in keys if key.endswith((".applied", ".refused"))]
        return sorted(key for key in marks if f"{key.rpartition('.')[0]}.json" not in keys)

    def pending(self, entries: list[Decision]) -> list[Decision]:
        """Return the entries that the registry does not show yet, the oldest first."""
        marks = self._marks(".applied")
        return [entry for entry in entries if entry.number not in marks]

    def handled(self, entries: list[Decision], pending: list[Decision]) -> list[Decision]:
        """Return the entries that the registry shows or has refused.

        Args:
            entries: All entries.
            pending: Those that the registry does not show.

        Returns:
            The entries, the oldest first.
        """
        waiting = {entry.number for entry in pending}
        waiting -= self._marks(".refused") if waiting else set()
        return [entry for entry in entries if entry.number not in waiting]

    def _marks(self, kind: str) -> set[int]:
        keys = (entry.key for entry in self.objects.entries("ledger/"))
        return {int(key.removeprefix("ledger/").removesuffix(kind)) for key in keys if key.endswith(kind)}
