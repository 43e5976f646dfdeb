"""Retraining triggers: whether uploads are a reason to retrain now, and whether too much of a source has vanished.

The decision depends only on the current listing, on the listing that a retraining last answered, and on the time, never
on earlier polls. So a poll that is lost, doubled or late changes nothing, and an object that appears during a poll
belongs to that poll or to the next one.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from configs.schema import Labels
from configs.sections import Source, Watch
from tasks.domain.ingestion.live_drift import LiveDrift
from tasks.domain.ingestion.source_objects import Entry, SourceFilter
from tasks.domain.labels.inbox_labels import INBOX_FOLDER, is_inbox_picture, is_label_file
from tasks.domain.labels.labeling import apply_aliases, normalize_name, read_layout
from tasks.domain.phrasing import count, list_names

#: Fewer vanished objects than this are never reported: somebody is tidying up.
FEW = 5
_MAX_EXAMPLES = 3
#: States of polls that have nothing to say but that they took place.
QUIET = ("Nothing new", "Not yet")


@dataclass(frozen=True, slots=True)
class SourceDiff:
    """What has changed in a source since the listing that a retraining last answered.

    Attributes:
        gone: The entries that are gone.
        came: The entries that are new or changed.
        before: The former entries under the keys of those that came.
    """

    gone: Collection[Entry]
    came: Collection[Entry]
    before: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class SourceChanges:
    """What a difference means for training.

    Attributes:
        new: How many images are new.
        relabelled: How many labels changed.
        labelled: How many of the new images bear a label already.
        gone: How many objects are gone.
        complete: The classes that have enough images for the first time.
        times: When the new images and the changed labels were uploaded, oldest first.
    """

    new: int
    relabelled: int
    labelled: int
    gone: int
    complete: tuple[str, ...]
    times: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of one poll of the source.

    Attributes:
        state: In two words at most, such as ``Started`` or ``Not yet``.
        why: The reason, in one line.
        key: What names the state of the source that was seen; empty where nothing is to be started.
        unanswered: The drift of live photographs for which people are asked for labels; None where they are not.
    """

    state: str
    why: str
    key: str = ""
    unanswered: LiveDrift | None = None

    def __str__(self) -> str:
        """Say whether a retraining starts, and why or why not."""
        return f"{self.state}: {self.why}"

    def to_dict(self) -> dict[str, str]:
        """Return the state and the reason as a dictionary for JSON."""
        return {"state": self.state, "why": self.why}


def classify_changes(difference: SourceDiff, labels: Labels, minimum: int, keys: Iterable[str]) -> SourceChanges:
    """Classify the changes of a source into new images, changed labels and moved objects, by labels from folders.

    The same content under another key is no new image. It is a changed label where the other folder means another
    class.

    Args:
        difference: What has changed since the last retraining.
        labels: The settings of labels.
        minimum: How many images make a class complete.
        keys: All keys that the source holds now.

    Returns:
        The changes.
    """
    moved = {entry.content: entry for entry in difference.gone}
    kinds: Counter[str] = Counter()
    times, labelled = [], 0
    pictures = any(is_inbox_picture(entry.key) for entry in difference.came)
    for entry in difference.came:
        # A file of labels that came with pictures labels these, which count as new images.
        beside = pictures and is_label_file(entry.key)
        kind = "same" if beside else _classify(entry, difference.before.get(entry.key), moved, labels)
        kinds[kind] += 1
        labelled += kind == "new" and _bears_label(entry.key, labels)
        if kind != "same":
            times.append(datetime.fromisoformat(entry.modified))
    complete = _newly_complete(difference, labels, minimum, keys) if times else ()
    return SourceChanges(
        kinds["new"], kinds["relabelled"], labelled, len(difference.gone), complete, tuple(sorted(times))
    )


def decide_retraining(
    changes: SourceChanges,
    watch: Watch,
    current_time: datetime,
    answered: str,
    key: str,
    drift: LiveDrift | None = None,
) -> PollResult:
    """Decide whether a retraining should start now.

    A retraining waits until uploads have stopped, but never longer than ``longest_wait_hours``. Live photographs that
    have drifted are a reason together with newly labelled ones, however few: training on the same ones cures nothing.

    Args:
        changes: What has changed since the last retraining.
        watch: The settings of watching.
        current_time: The time of the poll.
        answered: When the last retraining listed the source, in ISO 8601; empty where there was none.
        key: What names the state of the source that was seen.
        drift: How live photographs have drifted since the last retraining; None where they have not.

    Returns:
        The result of the poll; it holds the key where a retraining is to be started, and the drift where labels are
        wanted.
    """
    labels = changes.labelled + changes.relabelled
    if drift and not labels:
        result = decide_retraining(changes, watch, current_time, answered, key)
        why = f"{result.why}; {drift.clause}, and labelled photographs are wanted"
        return result if result.key else replace(result, why=why, unanswered=drift)
    gone = f"; {count(changes.gone, 'object')} gone, which the next retraining sees" if changes.gone else ""
    if not changes.times:
        since = f"the retraining of {_format_minute(answered)}" if answered else "anything was uploaded"
        return PollResult("Nothing new", f"no image came and no label changed since {since}{gone}")
    waited = current_time - max(changes.times[0], datetime.fromisoformat(answered) if answered else changes.times[0])
    overdue = waited >= timedelta(hours=watch.longest_wait_hours)
    reasons = _reasons(changes, watch)
    if drift:
        reasons.append(f"{drift.clause}, and {count(labels, 'label')} came since the last retraining")
    if overdue:
        reasons.append(
            f"the oldest has waited {_format_duration(waited)}, and {watch.longest_wait_hours:g} hours are the longest"
        )
    quiet = _time_since_upload(changes.times, current_time, timedelta(minutes=watch.settle_minutes))
    if reasons and (overdue or quiet is None):
        return PollResult("Started", "; ".join(reasons), key)
    if reasons:
        rest = f"{'; '.join(reasons)}; but the last upload was {_format_duration(quiet or timedelta())} ago"
        return PollResult("Not yet", f"{rest}, and {count(watch.settle_minutes, 'minute')} of quiet are wanted")
    few = f"{count(changes.new, 'new image')}, {watch.new_images:,} are enough"
    return PollResult(
        "Not yet",
        f"{few}; the oldest has waited {_format_duration(waited)} of {watch.longest_wait_hours:g} hours{gone}",
    )


def _bears_label(key: str, labels: Labels) -> bool:
    """Return whether a new image has a label: by its folder, or by what was uploaded with it."""
    beside = "metadata" in labels.sources or is_inbox_picture(key)
    return beside or ("folder" in labels.sources and bool(_label(key, labels)))


def _classify(entry: Entry, before: Entry | None, moved: Mapping[tuple[str, int], Entry], labels: Labels) -> str:
    if entry.key == labels.manifest or is_label_file(entry.key):
        return "relabelled"
    if before and before.content == entry.content:
        return "relabelled" if "metadata" in labels.sources else "same"
    former = moved.get(entry.content)
    if former is None:
        return "new"
    return "relabelled" if _label(former.key, labels) != _label(entry.key, labels) else "same"


def _newly_complete(difference: SourceDiff, labels: Labels, minimum: int, keys: Iterable[str]) -> tuple[str, ...]:
    """Return the classes that have enough images now and had too few before."""
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
    for name, images in zip(apply_aliases(folders, labels.aliases), folders.values(), strict=True):
        counts[name] += images
    return counts


def _label(key: str, labels: Labels) -> str:
    return apply_aliases([_folder(key, labels)], labels.aliases)[0]


def _folder(key: str, labels: Labels) -> str:
    return "" if key.startswith(INBOX_FOLDER) else normalize_name(read_layout(key, labels.layout).label)


def _reasons(changes: SourceChanges, watch: Watch) -> list[str]:
    reasons = []
    if changes.new >= watch.new_images:
        reasons.append(f"{count(changes.new, 'new image')}, {watch.new_images:,} are enough")
    if changes.complete:
        reasons.append(f"enough images of {list_names(changes.complete)} for the first time")
    if changes.relabelled:
        reasons.append(f"{count(changes.relabelled, 'label')} changed")
    return reasons


def _time_since_upload(times: Sequence[datetime], current_time: datetime, settle: timedelta) -> timedelta | None:
    """Return the time since the last upload if it is too short, else None; times far in the future are ignored."""
    recent = [current_time - time for time in times if -settle <= current_time - time < settle]
    return max(min(recent), timedelta()) if recent else None


def _format_duration(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    return count(minutes, "minute") if minutes < 120 else count(minutes // 60, "hour")  # noqa: PLR2004 - two hours


def _format_minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} (UTC)"


def check_vanished(source: Source, former_keys: Iterable[str], gone: Collection[str], why: str = "") -> str:
    """Check whether so much of a source has vanished that nothing may be learned from the rest.

    A class folder that is empty now is reported whatever its share, since a disk may be mounted there.

    Args:
        source: The settings of the source, with the share that may vanish.
        former_keys: The keys that it held when a retraining last answered it.
        gone: Those of them that are gone now, or cannot be read.
        why: The error of reading one of them, where that is known.

    Returns:
        The message, or "" where it is safe to go on.
    """
    names = SourceFilter(source.pass_over)
    missing = sorted(key for key in gone if not names.skips_key(key))
    if len(missing) < FEW or source.vanished_share >= 1:
        return ""
    held = [key for key in former_keys if not names.skips_key(key)]
    if len(missing) > source.vanished_share * len(held) + 1e-9:
        loss = f"{len(missing):,} of the {len(held):,} objects that {source.url} held are gone or cannot be read"
        return _vanished_message(
            f"{loss}, such as {_list_examples(missing)}{f' ({why})' if why else ''}", f"allows {source.vanished}"
        )
    for folder in _emptied_folders(held, missing):
        folder_keys = [key for key in missing if key.startswith(f"{folder}/")]
        loss = f"All {len(folder_keys):,} objects of the folder {folder} in {source.url} are gone or cannot be read"
        return _vanished_message(f"{loss}, such as {_list_examples(folder_keys)}", "lets no whole folder go")
    return ""


def _list_examples(keys: Sequence[str]) -> str:
    return list_names(keys[:_MAX_EXAMPLES])


def _emptied_folders(former_keys: Iterable[str], gone: Iterable[str]) -> list[str]:
    """Return the top-level folders that held at least ``FEW`` objects and hold none of them now."""
    before, lost = _count_by_folder(former_keys), _count_by_folder(gone)
    return sorted(folder for folder, number in lost.items() if number == before[folder] and number >= FEW)


def _count_by_folder(keys: Iterable[str]) -> Counter[str]:
    return Counter(key.partition("/")[0] for key in keys if "/" in key)


def _vanished_message(loss: str, rule: str) -> str:
    return (
        f"{loss}, and source.vanished {rule}: nothing was learned from the rest. Check that the disk is mounted and "
        "the rights are as they were; if this is intended, say so for one run with --set 'source.vanished=at most 1'."
    )
