"""Training state of fine-tuning: what is trained, its checkpoints, and the steps that change or evaluate it."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.modeling.backbone.backbone import Backbone, random_backbone, with_batch
from tasks.modeling.backbone.inception import pool_output
from tasks.modeling.backbone.serialization import DAMAGE
from tasks.modeling.fine_tuning.distribution import Devices
from tasks.modeling.fine_tuning.input_pipeline import Batch
from tasks.modeling.head.head import Head

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from configs import schema

Arrays = list[NDArray[Any]]
Epoch = tuple[int, Mapping[str, float]]
Step = Callable[[Batch], tuple[float, int]]
# The share of the steps during which the learning rate grows.
_WARM_UP = 0.1


@dataclass(frozen=True)
class Checkpoint:
    """A fine-tuning after some epochs.

    Attributes:
        state: Everything that training changes.
        best: The weights of the best epoch so far.
        epochs: The number and the metrics of each epoch.
    """

    state: Arrays
    best: Arrays
    epochs: tuple[Epoch, ...]

    @property
    def epoch(self) -> int:
        """Return the number of finished epochs."""
        return self.epochs[-1][0]

    def to_bytes(self) -> bytes:
        """Return the checkpoint as one .npz file."""
        sink = io.BytesIO()
        named = {f"{part}_{n}": array for part in ("state", "best") for n, array in enumerate(getattr(self, part))}
        np.savez(sink, allow_pickle=False, epochs=np.array(json.dumps(self.epochs)), **named)
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Checkpoint | None":
        """Read the file that ``to_bytes`` wrote; None where it is damaged, since fine-tuning can begin again."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                epochs = tuple((int(epoch), figures) for epoch, figures in json.loads(str(file["epochs"])))
                state, best = (
                    [file[name] for name in file.files if name.startswith(part)] for part in ("state", "best")
                )
                return cls(state, best, epochs)
        except (*DAMAGE, TypeError):
            return None


def best_epoch(epochs: Sequence[Epoch]) -> Epoch:
    """Return the first epoch with the lowest validation loss, with its metrics."""
    return min(epochs, key=lambda epoch: epoch[1]["validation_loss"])


@dataclass(frozen=True)
class TrainState:
    """What fine-tuning changes, and the steps that do so.

    Attributes:
        trainable_layers: The layers of the backbone that are trained.
        variables: The variables of these layers and of the classifier.
        optimizer: The optimizer, with its own variables.
        train_step: Trains on a batch, and returns the loss and the number of correct predictions.
        eval_step: Returns the same without training.
    """

    trainable_layers: Sequence["keras.layers.Layer"]
    variables: Sequence["keras.Variable"]
    optimizer: "keras.optimizers.Optimizer"
    train_step: Step
    eval_step: Step

    def state(self) -> Arrays:
        """Copy what is needed to resume: the variables of the network, then those of the optimizer."""
        return [np.array(variable) for variable in (*self.variables, *self.optimizer.variables)]

    def restore(self, state: Arrays) -> None:
        """Restore what ``state`` copied.

        Args:
            state: The arrays.
        """
        for variable, array in zip((*self.variables, *self.optimizer.variables), state, strict=True):
            variable.assign(array)

    def weights(self) -> Arrays:
        """Copy the variables of the network that training changes."""
        return [np.array(variable) for variable in self.variables]


def create_train_state(
    start: tuple[Backbone, Head], settings: "schema.FineTuning", devices: Devices, steps: int, smoothing: float
) -> TrainState:
    """Create the training state on the devices, with the blocks from ``from_block`` on trainable.

    The learning rate grows during the first tenth of the steps, and then falls to 0 along a cosine.

    Args:
        start: The backbone and the head to start from; they are copied.
        settings: The first trainable block, the learning rate, and whether statistics are frozen.
        devices: The devices.
        steps: The number of training steps in all.
        smoothing: The share that is taken from each label and spread over all classes.

    Returns:
        The training state.
    """
    import keras

    backbone, head = start
    with devices.strategy.scope():
        copy = random_backbone(backbone.cut, backbone.size)
        copy.model.set_weights(backbone.model.get_weights())
        layers = unfreeze_from(_find_body(copy), settings.from_block)
        classifier = keras.layers.Dense(len(head.classes))
        network = _build_network(copy, classifier)
        classifier.set_weights([head.weights, head.bias])
        optimizer = keras.optimizers.Adam(_build_schedule(settings.learning_rate, steps))
        optimizer.build(network.trainable_variables)
    variables = [variable for layer in (*layers, classifier) for variable in layer.weights]
    training = not settings.frozen_statistics
    train = _build_train_step(network, optimizer, training=training, smoothing=smoothing)
    return TrainState(
        layers, variables, optimizer, _distribute(devices, train), _distribute(devices, _build_eval_step(network))
    )


def extract_model(weights: Arrays, start: tuple[Backbone, Head], block: str) -> tuple[Backbone, Head]:
    """Build the backbone and the head from trained weights.

    Args:
        weights: What ``TrainState.weights`` copied.
        start: The backbone and the head that training started from.
        block: The first trainable block.

    Returns:
        The trained backbone and head.
    """
    backbone, head = start
    tuned = random_backbone(backbone.cut, backbone.size)
    tuned.model.set_weights(backbone.model.get_weights())
    learned = [variable for layer in unfreeze_from(_find_body(tuned), block) for variable in layer.weights]
    for variable, array in zip(learned, weights[:-2], strict=True):
        variable.assign(array)
    tuned = with_batch(tuned, backbone.engine.batch, getattr(backbone.engine, "computing", "float32"))
    return tuned, Head(head.classes, weights[-2], weights[-1])


def _find_body(backbone: Backbone) -> "keras.Model":
    import keras

    return next(layer for layer in backbone.model.layers if isinstance(layer, keras.Model))


def unfreeze_from(body: "keras.Model", block: str) -> list["keras.layers.Layer"]:
    """Freeze all layers before a block, and make the others trainable.

    Args:
        body: The network.
        block: The name of the block; a block ends with the layer of its name.

    Returns:
        The trainable layers.
    """
    import keras

    before = int(block.removeprefix("mixed")) - 1
    # The stem, which comes before mixed0, ends with the second pooling.
    pools = [layer.name for layer in body.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    names = [layer.name for layer in body.layers]
    start = names.index(f"mixed{before}" if before >= 0 else pools[1]) + 1
    for number, layer in enumerate(body.layers):
        layer.trainable = number >= start
    return list(body.layers[start:])


def _build_network(backbone: Backbone, classifier: "keras.layers.Layer") -> "keras.Model":
    import keras

    # Whether statistics are learned is said in each call; a fixed ``training`` here would overrule it.
    pixels = keras.Input(backbone.model.input_shape[1:], dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    return keras.Model(pixels, classifier(pool_output(_find_body(backbone)(scaled))))


def _build_schedule(peak: float, steps: int) -> "keras.optimizers.schedules.LearningRateSchedule":
    import keras

    warm_up = max(1, int(_WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        peak / 100, max(1, steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )


def _build_train_step(
    network: "keras.Model", optimizer: "keras.optimizers.Optimizer", *, training: bool, smoothing: float
) -> Callable[..., "tf.Tensor"]:
    import tensorflow as tf

    def step(pixels: tf.Tensor, truth: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = network(pixels, training=training)
            loss = tf.reduce_sum(weights * _compute_losses(logits, truth, smoothing))
        # Under a strategy Keras's optimizer itself adds up the gradients of all devices.
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        return _stack_loss_and_hits(loss, logits, truth, weights)

    return step


def _build_eval_step(network: "keras.Model") -> Callable[..., "tf.Tensor"]:
    import tensorflow as tf

    def step(pixels: tf.Tensor, truth: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        logits = network(pixels, training=False)
        return _stack_loss_and_hits(
            tf.reduce_sum(weights * _compute_losses(logits, truth, 0.0)), logits, truth, weights
        )

    return step


def _compute_losses(logits: "tf.Tensor", truth: "tf.Tensor", smoothing: float) -> "tf.Tensor":
    import tensorflow as tf

    classes = logits.shape[-1]
    target = tf.one_hot(truth, classes) * (1 - smoothing) + smoothing / classes
    return tf.nn.softmax_cross_entropy_with_logits(target, logits)


def _stack_loss_and_hits(
    loss: "tf.Tensor", logits: "tf.Tensor", truth: "tf.Tensor", weights: "tf.Tensor"
) -> "tf.Tensor":
    import tensorflow as tf

    correct = (tf.argmax(logits, axis=-1) == truth) & (weights > 0)
    return tf.stack([loss, tf.reduce_sum(tf.cast(correct, tf.float32))])


def _distribute(devices: Devices, step: Callable[..., "tf.Tensor"]) -> Step:
    """Distribute a step: each device runs it on its share of the batch, and the results are added.

    Returns:
        The step for a whole batch.
    """
    import tensorflow as tf

    strategy = devices.strategy

    @tf.function(autograph=False)
    def everywhere(pixels: Any, truth: Any, weights: Any) -> Any:  # noqa: ANN401 - tensors, or one for each device
        return strategy.reduce("SUM", strategy.run(step, args=(pixels, truth, weights)), axis=None)

    def call(batch: Batch) -> tuple[float, int]:
        values = (
            strategy.experimental_distribute_values_from_function(
                lambda context, part=part: tf.constant(
                    batch[context.replica_id_in_sync_group - devices.local_devices.start][part]
                )
            )
            for part in range(3)
        )
        loss, correct = everywhere(*values).numpy()
        return float(loss), int(correct)

    return call
