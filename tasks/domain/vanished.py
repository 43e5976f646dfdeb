"""Whether so much of what a source held is gone at once that a person must look before anything is learned."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from configs.source import Source
from tasks.domain.source_filter import SourceFilter
from tasks.domain.wording import listed

#: Of fewer objects nothing is said: somebody tidies up.
FEW = 5
_EXAMPLES = 3


def objection(source: Source, known: Iterable[str], gone: Collection[str], why: str = "") -> str:
    """Say in one sentence why nothing may be learned from what is left; nothing where few are gone.

    A class folder that is empty now is asked about whatever its share: disks are mounted there.

    Args:
        source: The source, with the share that may be gone.
        known: The keys that it held when it was last answered.
        gone: Those of them that are gone now, or cannot be read.
        why: What reading one of them came to, where that is known.
    """
    names = SourceFilter(source.pass_over)
    missing = sorted(key for key in gone if not names.skips_key(key))
    if len(missing) < FEW or source.vanished_share >= 1:
        return ""
    held = [key for key in known if not names.skips_key(key)]
    if len(missing) > source.vanished_share * len(held) + 1e-9:
        told = f"{len(missing):,} of the {len(held):,} objects that {source.url} held are gone or cannot be read"
        return _asking(f"{told}, such as {_few(missing)}{f' ({why})' if why else ''}", f"allows {source.vanished}")
    for folder in _emptied(held, missing):
        own = [key for key in missing if key.startswith(f"{folder}/")]
        told = f"All {len(own):,} objects of the folder {folder} in {source.url} are gone or cannot be read"
        return _asking(f"{told}, such as {_few(own)}", "lets no whole folder go")
    return ""


def _few(keys: Sequence[str]) -> str:
    return listed(keys[:_EXAMPLES])


def _emptied(known: Iterable[str], gone: Iterable[str]) -> list[str]:
    """Name the folders at the top that held some objects and hold none of them now."""
    before, lost = (Counter(key.partition("/")[0] for key in keys if "/" in key) for keys in (known, gone))
    return sorted(folder for folder, number in lost.items() if number == before[folder] >= FEW)


def _asking(told: str, rule: str) -> str:
    return (
        f"{told}, and source.vanished {rule}: nothing was learned from the rest. Look whether the disk is mounted and "
        "the rights are as they were; where it is meant, say so for one run with --set 'source.vanished=at most 1'."
    )
