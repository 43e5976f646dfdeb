"""Distribution of fine-tuning over devices: the cores or graphics cards of one machine, or several machines."""

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

# The size of a message from the first worker to the others.
_MESSAGE_BYTES = 2048


@dataclass(frozen=True)
class Devices:
    """The devices that share every step.

    Attributes:
        strategy: TensorFlow's distribution strategy.
        local_devices: The numbers of the devices that this process feeds.
    """

    strategy: "tf.distribute.Strategy"
    local_devices: range

    @property
    def count(self) -> int:
        """Return the number of devices of all processes."""
        return int(self.strategy.num_replicas_in_sync)


def devices_of_this_machine(count: int) -> Devices:
    """Return so many graphics cards or, where there are none, cores.

    Raises:
        SettingsError: The machine has fewer.
    """
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
    """Join the workers of a cluster, before TensorFlow computes anything here; waits until all of them have joined.

    Args:
        workers: The addresses of all workers.
        number: The index of this one.

    Returns:
        The devices of all workers.

    Raises:
        PedigreeError: This worker cannot join.
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
    """Send a message from the first worker to all, and return it.

    Args:
        devices: The devices of all workers.
        message: The message; None at the other workers, which wait for it.

    Returns:
        The message.
    """
    import tensorflow as tf

    encoded = np.zeros(_MESSAGE_BYTES, np.int32)
    if message is not None:
        data = json.dumps(message).encode()
        encoded[: len(data)] = list(data)
    strategy, is_sender = devices.strategy, message is not None

    @tf.function(autograph=False)
    def exchange(tensors: "tf.Tensor") -> "tf.Tensor":
        return strategy.reduce("SUM", strategy.run(lambda tensor: tensor, args=(tensors,)), axis=None)

    local_message = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(
            encoded if is_sender and context.replica_id_in_sync_group == 0 else np.zeros_like(encoded)
        )
    )
    with report_lost_worker():
        received_bytes = exchange(local_message).numpy()
    received: dict[str, Any] = json.loads(bytes(received_bytes[received_bytes > 0].astype(np.uint8)))
    return received


@contextmanager
def report_lost_worker() -> Iterator[None]:
    """Replace TensorFlow's errors about a lost worker, in the middle of a step, by one sentence."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError) as error:
        message = "Another worker is gone, and none can go on alone: start all of them again, the last epoch is kept."
        raise PedigreeError(message) from error


def shard_batch(positions: Sequence[int], size: int, devices: int) -> list[list[tuple[int, int]]]:
    """Divide the positions of a batch among devices, so that every batch has the same shape.

    The batch is filled up with its first positions, which count 0 instead of 1. A batch of another shape would make
    TensorFlow build the network's graph anew, which takes longer than many steps.

    Args:
        positions: The positions, at most ``size``.
        size: The size of a full batch.
        devices: The number of devices.

    Returns:
        The positions of each device, each with its weight of 1 or 0.
    """
    missing = size + -size % devices - len(positions)
    padded = [*((position, 1) for position in positions), *((positions[n % len(positions)], 0) for n in range(missing))]
    return [padded[number::devices] for number in range(devices)]
