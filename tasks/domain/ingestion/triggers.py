"""Whether uploads are a reason to retrain now: a function of what is listed, what was answered before, and the time.

Nothing of an earlier look goes into it, so that a look that was lost, doubled or late changes nothing, and an object
that appears while a look is going on belongs to this look or to the next one.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from configs.schema import Labels, Watch
from configs.sections import Source
from tasks.domain.ingestion.source_objects import Entry, SourceFilter
from tasks.domain.labels.labeling import normalize_name, read_layout, spelled
from tasks.domain.phrasing import count, list_names


@dataclass(frozen=True, slots=True)
class SourceDiff:
    """What no retraining has answered yet: entries that are gone, entries that came, and who had their keys before."""

    gone: Collection[Entry]
    came: Collection[Entry]
    before: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class SourceChanges:
    """What a difference means: new images, labels that changed, classes complete for the first time, times of uploads.

    The times are those of the new images and changed labels, the oldest first.
    """

    new: int
    relabelled: int
    gone: int
    complete: tuple[str, ...]
    times: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class PollResult:
    """What came of one look, in one line; the key names what it saw, and is empty where nothing is to be started."""

    state: str
    why: str
    key: str = ""

    def __str__(self) -> str:
        """Say whether a retraining starts, and why or why not."""
        return f"{self.state}: {self.why}"

    def to_dict(self) -> dict[str, str]:
        """Turn it into what JSON can hold."""
        return {"state": self.state, "why": self.why}


def classify_changes(difference: SourceDiff, labels: Labels, minimum: int, keys: Iterable[str]) -> SourceChanges:
    """Say what a difference means, by labels from folders; ``keys`` are all that the source holds now.

    The same content under another key is no new image; it changes a label where another folder says another class.
    """
    moved = {(entry.etag, entry.size): entry for entry in difference.gone}
    kinds: Counter[str] = Counter()
    times = []
    for entry in difference.came:
        kind = _kind(entry, difference.before.get(entry.key), moved, labels)
        kinds[kind] += 1
        if kind != "same":
            times.append(datetime.fromisoformat(entry.modified))
    complete = _complete(difference, labels, minimum, keys) if times else ()
    return SourceChanges(kinds["new"], kinds["relabelled"], len(difference.gone), complete, tuple(sorted(times)))


def decide_retraining(
    changes: SourceChanges, watch: Watch, current_time: datetime, answered: str, key: str
) -> PollResult:
    """Say whether a retraining should start now; ``answered`` is when the last one listed the source, empty for never.

    Uploads that go on are waited for, but never for longer than ``longest_wait_hours``.
    """
    gone = f"; {count(changes.gone, 'object')} gone, which the next retraining sees" if changes.gone else ""
    if not changes.times:
        since = f"the retraining of {_minute(answered)}" if answered else "anything was uploaded"
        return PollResult("Nothing new", f"no image came and no label changed since {since}{gone}")
    waited = current_time - max(changes.times[0], datetime.fromisoformat(answered) if answered else changes.times[0])
    overdue = waited >= timedelta(hours=watch.longest_wait_hours)
    reasons = _reasons(changes, watch)
    if overdue:
        reasons.append(f"the oldest has waited {_span(waited)}, and {watch.longest_wait_hours:g} hours are the longest")
    quiet = _quiet(changes.times, current_time, timedelta(minutes=watch.settle_minutes))
    if reasons and (overdue or quiet is None):
        return PollResult("Started", "; ".join(reasons), key)
    if reasons:
        rest = f"{'; '.join(reasons)}; but the last upload was {_span(quiet or timedelta())} ago"
        return PollResult("Not yet", f"{rest}, and {count(watch.settle_minutes, 'minute')} of quiet are wanted")
    few = f"{count(changes.new, 'new image')}, {watch.new_images:,} are enough"
    return PollResult(
        "Not yet", f"{few}; the oldest has waited {_span(waited)} of {watch.longest_wait_hours:g} hours{gone}"
    )


def _kind(entry: Entry, before: Entry | None, moved: Mapping[tuple[str, int], Entry], labels: Labels) -> str:
    if entry.key == labels.manifest:
        return "relabelled"
    if before and (before.etag, before.size) == (entry.etag, entry.size):
        return "relabelled" if "metadata" in labels.sources else "same"
    former = moved.get((entry.etag, entry.size))
    if former is None:
        return "new"
    return "relabelled" if _label(former.key, labels) != _label(entry.key, labels) else "same"


def _complete(difference: SourceDiff, labels: Labels, minimum: int, keys: Iterable[str]) -> tuple[str, ...]:
    """Name the classes that have enough images now and had too few before."""
    if "folder" not in labels.sources:
        return ()
    current = _classes(keys, labels)
    came = _classes((entry.key for entry in difference.came if entry.key not in difference.before), labels)
    gone = _classes((entry.key for entry in difference.gone), labels)
    left_out = {normalize_name(name).casefold() for name in labels.leave_out} | {""}
    enough = (name for name, images in current.items() if images >= minimum > images - came[name] + gone[name])
    return tuple(sorted(name for name in enough if name.casefold() not in left_out))


def _classes(keys: Iterable[str], labels: Labels) -> Counter[str]:
    """Count the objects of each class, by the folders that they lie in."""
    folders = Counter(_folder(key, labels) for key in keys if key != labels.manifest)
    counts: Counter[str] = Counter()
    for name, images in zip(spelled(folders, labels.aliases), folders.values(), strict=True):
        counts[name] += images
    return counts


def _label(key: str, labels: Labels) -> str:
    return spelled([_folder(key, labels)], labels.aliases)[0]


def _folder(key: str, labels: Labels) -> str:
    return normalize_name(read_layout(key, labels.layout).label)


def _reasons(changes: SourceChanges, watch: Watch) -> list[str]:
    reasons = [f"{count(changes.new, 'new image')}, {watch.new_images:,} are enough"] * (
        changes.new >= watch.new_images
    )
    reasons += [f"enough images of {list_names(changes.complete)} for the first time"] if changes.complete else []
    reasons += [f"{count(changes.relabelled, 'label')} changed"] if changes.relabelled else []
    return reasons


def _quiet(times: Sequence[datetime], current_time: datetime, settle: timedelta) -> timedelta | None:
    """Tell how long ago the last upload was, where that is not long enough; a time far in the future says nothing."""
    recent = [current_time - time for time in times if -settle <= current_time - time < settle]
    return max(min(recent), timedelta()) if recent else None


def _span(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    return count(minutes, "minute") if minutes < 120 else count(minutes // 60, "hour")  # noqa: PLR2004 - two hours


def _minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} (UTC)"


#: Of fewer objects nothing is said: somebody tidies up.
FEW = 5
_EXAMPLES = 3


def check_vanished(source: Source, former_keys: Iterable[str], gone: Collection[str], why: str = "") -> str:
    """Say in one sentence why nothing may be learned from what is left; nothing where few are gone.

    A class folder that is empty now is asked about whatever its share: disks are mounted there.

    Args:
        source: The source, with the share that may be gone.
        former_keys: The keys that it held when it was last answered.
        gone: Those of them that are gone now, or cannot be read.
        why: What reading one of them came to, where that is known.
    """
    names = SourceFilter(source.pass_over)
    missing = sorted(key for key in gone if not names.skips_key(key))
    if len(missing) < FEW or source.vanished_share >= 1:
        return ""
    held = [key for key in former_keys if not names.skips_key(key)]
    if len(missing) > source.vanished_share * len(held) + 1e-9:
        loss = f"{len(missing):,} of the {len(held):,} objects that {source.url} held are gone or cannot be read"
        return _vanished_message(
            f"{loss}, such as {_few(missing)}{f' ({why})' if why else ''}", f"allows {source.vanished}"
        )
    for folder in _emptied(held, missing):
        folder_keys = [key for key in missing if key.startswith(f"{folder}/")]
        loss = f"All {len(folder_keys):,} objects of the folder {folder} in {source.url} are gone or cannot be read"
        return _vanished_message(f"{loss}, such as {_few(folder_keys)}", "lets no whole folder go")
    return ""


def _few(keys: Sequence[str]) -> str:
    return list_names(keys[:_EXAMPLES])


def _emptied(former_keys: Iterable[str], gone: Iterable[str]) -> list[str]:
    """Name the folders at the top that held some objects and hold none of them now."""
    before, lost = (Counter(key.partition("/")[0] for key in keys if "/" in key) for keys in (former_keys, gone))
    return sorted(folder for folder, number in lost.items() if number == before[folder] >= FEW)


def _vanished_message(loss: str, rule: str) -> str:
    return (
        f"{loss}, and source.vanished {rule}: nothing was learned from the rest. Look whether the disk is mounted and "
        "the rights are as they were; where it is meant, say so for one run with --set 'source.vanished=at most 1'."
    )
