"""How far a fine-tuning has come, between two nights: the one thing in the store that is scratch."""

from dataclasses import dataclass

from tasks.stores.objects.object_store import ObjectChangedError, open_bucket

_FOLDER = "checkpoints/"


@dataclass(frozen=True)
class CheckpointStore:
    """The checkpoints of one fine-tuning, which is named by the hash of all that decides it."""

    url: str
    name: str

    def last(self) -> tuple[int, bytes] | None:
        """Return the newest checkpoint with the number of its epoch, if there is one."""
        bucket, keys = open_bucket(self.url), self._keys()
        for epoch in sorted(keys, reverse=True):
            try:
                return epoch, bucket.read(keys[epoch])
            except ObjectChangedError:
                # The same fine-tuning runs twice, and the other one has just come further or ended.
                continue
        return None

    def keep(self, epoch: int, data: bytes) -> None:
        """Keep a checkpoint, whole or not at all; the former ones go when it stands."""
        bucket = open_bucket(self.url)
        bucket.create(f"{_FOLDER}{self.name}/{epoch}.npz", data)
        for former, key in self._keys().items():
            if former < epoch:
                bucket.remove(key)

    def remove(self, epoch: int) -> None:
        """Remove one checkpoint, such as a damaged one."""
        open_bucket(self.url).remove(f"{_FOLDER}{self.name}/{epoch}.npz")

    def clear(self) -> None:
        """Remove what this fine-tuning left, and what others left that never ended; they can begin again."""
        bucket = open_bucket(self.url)
        for entry in list(bucket.entries(_FOLDER)):
            bucket.remove(entry.key)

    def _keys(self) -> dict[int, str]:
        prefix = f"{_FOLDER}{self.name}/"
        keys = [entry.key for entry in open_bucket(self.url).entries(prefix)]
        return {int(key.removeprefix(prefix).removesuffix(".npz")): key for key in keys}
