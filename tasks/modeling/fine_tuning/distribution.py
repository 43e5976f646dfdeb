"""Which devices share a step: the cores or graphics cards of this machine, or several machines that were told so."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from configs.errors import PedigreeError, SettingsError
from tasks.modeling.determinism import configure_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

# What the first worker tells the others fits into so many bytes.
_MESSAGE_BYTES = 2048


@dataclass(frozen=True)
class Devices:
    """Devices that share every step, and the numbers of those among them that this process feeds."""

    strategy: "tf.distribute.Strategy"
    local_devices: range

    @property
    def count(self) -> int:
        """Count the devices of all processes."""
        return int(self.strategy.num_replicas_in_sync)


def devices_of_this_machine(count: int) -> Devices:
    """Take so many graphics cards or, where there are none, cores; raise SettingsError when the machine has fewer."""
    configure_tensorflow()
    import tensorflow as tf

    if count == 1:
        return Devices(tf.distribute.get_strategy(), range(1))
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    if count > len(names):
        named = f"{len(names)} {'graphics card' if kind == 'GPU' else 'core'}{'s' if len(names) > 1 else ''}"
        raise SettingsError(
            f"fine_tuning.devices is {count}, and this machine has {named}: set fine_tuning.devices to {len(names)}."
        )
    return Devices(tf.distribute.MirroredStrategy(names[:count]), range(count))


@cache
def devices_of_workers(workers: tuple[str, ...], number: int) -> Devices:
    """Join the workers at these addresses as the one of this number, before TensorFlow computes anything here.

    It waits until all of them have come.
    """
    configure_tensorflow()
    import tensorflow as tf

    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(workers)}), task_type="worker", task_id=number
    )
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except (tf.errors.OpError, RuntimeError) as error:
        message = (
            f"Worker {number} cannot join {', '.join(workers)}: give each worker the same TF_CONFIG but its index."
        )
        raise PedigreeError(message) from error
    per_worker = strategy.num_replicas_in_sync // len(workers)
    return Devices(strategy, range(number * per_worker, (number + 1) * per_worker))


def broadcast(devices: Devices, message: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the first worker tells all workers; the others call this without a message, and wait for it."""
    import tensorflow as tf

    encoded = np.zeros(_MESSAGE_BYTES, np.int32)
    if message is not None:
        data = json.dumps(message).encode()
        encoded[: len(data)] = list(data)
    strategy, speaks = devices.strategy, message is not None

    @tf.function(autograph=False)
    def exchange(tensors: "tf.Tensor") -> "tf.Tensor":
        return strategy.reduce("SUM", strategy.run(lambda tensor: tensor, args=(tensors,)), axis=None)

    local_message = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(
            encoded if speaks and context.replica_id_in_sync_group == 0 else np.zeros_like(encoded)
        )
    )
    with report_lost_worker():
        heard = exchange(local_message).numpy()
    received: dict[str, Any] = json.loads(bytes(heard[heard > 0].astype(np.uint8)))
    return received


@contextmanager
def report_lost_worker() -> Iterator[None]:
    """Turn the loss of another worker, in the middle of a step, into one sentence."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError) as error:
        message = "Another worker is gone, and none can go on alone: start all of them again, the last epoch is kept."
        raise PedigreeError(message) from error


def shard_batch(positions: Sequence[int], size: int, devices: int) -> list[list[tuple[int, int]]]:
    """Deal the places of a batch of at most ``size`` out, one share a device, all of one length in every batch.

    Each place comes with 1; what fills up is the first places again, with 0. A batch of another length would make
    TensorFlow build the network's graph anew, which takes longer than many steps.
    """
    missing = size + -size % devices - len(positions)
    padded = [*((position, 1) for position in positions), *((positions[n % len(positions)], 0) for n in range(missing))]
    return [padded[number::devices] for number in range(devices)]
