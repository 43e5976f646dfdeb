"""Fine-tuning: what learns and what does not, the same weights again, and an end in words where it cannot go on."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from configs.errors import PedigreeError, SettingsError
from tasks.modeling.backbone.backbone import random_backbone
from tasks.modeling.fine_tuning.fine_tuning import check_memory, count_outputs, report_memory_shortage
from tasks.modeling.fine_tuning.train_state import Checkpoint, _build_schedule, unfreeze_from
from tests.servers import ROOT, free_port
from tests.tasks.modeling.small_fine_tuning import small_fine_tuning, small_settings, tuned

# Epoch 0 reads 8 pictures, each later one 24 and 8: this one is in the middle of the second epoch's training.
_IN_THE_SECOND_EPOCH = 8 + 32 + 12


def begin(code: str) -> subprocess.Popen[str]:
    """Start code that uses the small fine-tuning in a process of its own."""
    head = "import json, pathlib; from tests.tasks.modeling.small_fine_tuning import *; "
    return subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", head + code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def uninterrupted() -> dict[str, object]:
    """Fine-tune without a break, in a process of its own, as the others that it is compared with."""
    answer, complaint = begin("print(json.dumps(tuned(small_settings())))").communicate()
    assert answer, complaint
    return json.loads(answer)  # type: ignore[no-any-return]


def test_a_killed_fine_tuning_ends_with_the_same_weights(uninterrupted: dict[str, object], tmp_path: Path) -> None:
    """Killed with -9 in the middle of an epoch and resumed by another process, it ends as one that was never killed."""
    path = tmp_path / "checkpoint.npz"
    code = "print(json.dumps(tuned_from(pathlib.Path({!r}), {})))"
    killed = begin(code.format(str(path), _IN_THE_SECOND_EPOCH))
    assert killed.wait() == -signal.SIGKILL
    reached = Checkpoint.from_bytes(path.read_bytes())
    assert reached
    assert reached.epoch == 1
    answer, complaint = begin(code.format(str(path), 10**9)).communicate()
    assert answer, complaint
    assert json.loads(answer) == uninterrupted


def test_each_epoch_tells_its_figures(uninterrupted: dict[str, list[tuple[int, dict[str, float]]]]) -> None:
    """The head as it was is measured as epoch 0, and every later epoch tells four figures."""
    first, *later = uninterrupted["epochs"]
    assert first[0] == 0
    assert set(first[1]) == {"validation_loss", "validation_accuracy"}
    for epoch, figures in later:
        assert set(figures) == {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy"}, epoch
    assert later[-1][1]["train_loss"] < np.log(3)


def test_several_devices_learn_what_one_learns(uninterrupted: dict[str, list[tuple[int, dict[str, float]]]]) -> None:
    """Two devices that share each step come to the losses of one, but for rounding."""
    shared = tuned(small_settings(devices=2))
    for (_, expected), (_, figures) in zip(uninterrupted["epochs"], shared["epochs"], strict=True):
        assert figures == pytest.approx(expected, rel=0.02)


def test_two_workers_learn_what_one_process_learns(
    uninterrupted: dict[str, list[tuple[int, dict[str, float]]]],
) -> None:
    """Two worker processes hear the first one, end with the same weights, and come near the losses of one process."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    workers = [begin(f"print(json.dumps(tuned_by_worker({addresses}, {number})))") for number in range(2)]
    answers = [worker.communicate() for worker in workers]
    first, second = (json.loads(answer or complaint) for answer, complaint in answers)
    assert first == second
    assert first["say"] == "go"
    for (_, expected), (_, figures) in zip(uninterrupted["epochs"], first["epochs"], strict=True):
        assert figures == pytest.approx(expected, rel=0.02)


def test_more_devices_than_there_are_is_a_sentence() -> None:
    """Who asks for more devices than the machine has is told how many it has."""
    with pytest.raises(SettingsError, match=r"fine_tuning\.devices is 64, and this machine has \d+ core"):
        small_fine_tuning(small_settings(devices=64))


def test_only_open_blocks_may_learn() -> None:
    """From mixed1 on everything may learn, and nothing before it; mixed0 begins after the stem."""
    body = next(layer for layer in random_backbone("mixed1", 75).model.layers if hasattr(layer, "layers"))
    names = [layer.name for layer in body.layers]
    learning = unfreeze_from(body, "mixed1")
    assert [layer.trainable for layer in body.layers] == [n > names.index("mixed0") for n in range(len(names))]
    assert learning[0].name == names[names.index("mixed0") + 1]
    assert len(unfreeze_from(body, "mixed0")) > len(learning)
    assert body.layers[1].trainable is False


@pytest.mark.parametrize("frozen", [True, False])
def test_statistics_stay_unless_they_may_change(*, frozen: bool) -> None:
    """Moving means and variances stay as they came, unless they may be learned; weights do learn."""
    fine_tuning = small_fine_tuning(small_settings(epochs=1, frozen_statistics=frozen))
    before, last = fine_tuning.checkpoints(None)
    network = fine_tuning._create_train_state()
    same = {
        variable.name: np.array_equal(old, new)
        for variable, old, new in zip(network.variables, before.best, last.state, strict=False)
    }
    assert same["moving_mean"] is frozen
    assert same["moving_variance"] is frozen
    assert same["beta"] is same["kernel"] is False


def test_where_nothing_got_better_all_stays_as_it_was() -> None:
    """If epoch 0 is the best one, the result is the very backbone and head that it began with."""
    fine_tuning = small_fine_tuning(small_settings())
    figures = tuple((epoch, {"validation_loss": loss}) for epoch, loss in enumerate((0.1, 0.1, 0.2)))
    assert fine_tuning.result(Checkpoint([], [], figures)) == (fine_tuning.backbone, fine_tuning.head)


def test_the_learning_rate_warms_up_and_falls_to_nothing() -> None:
    """It grows for a tenth of the steps, is then at its highest, and ends at nothing."""
    rate = [float(_build_schedule(0.5, 100)(step)) for step in range(101)]
    assert rate[:11] == sorted(rate[:11])
    assert [rate[10], rate[100]] == pytest.approx([0.5, 0.0], abs=1e-6)
    assert rate[10:] == sorted(rate[10:], reverse=True)
    assert 0 < rate[0] < 0.01


def test_numbers_that_are_none_stop_it_with_a_sentence() -> None:
    """Steps that are far too long end in one sentence with the step, the likely cause and a better value."""
    settings = small_settings()
    tuning = settings.fine_tuning.model_copy(update={"learning_rate": 1e30})
    fine_tuning = small_fine_tuning(settings.model_copy(update={"fine_tuning": tuning}))
    with pytest.raises(
        PedigreeError, match=r"at step [123] of 6: .* set fine_tuning.learning_rate, now 1e\+30, to 1e\+29"
    ):
        list(fine_tuning.checkpoints(None))


def test_a_batch_that_cannot_fit_is_refused_before_it_begins() -> None:
    """The sentence names the batch that the free memory has room for, or fewer blocks where not one image fits."""
    network, settings = small_fine_tuning(small_settings())._create_train_state(), small_settings()
    needed = 4 * count_outputs(network.trainable_layers, settings.backbone.size)
    assert needed > 4 * 75 * 75
    check_memory(network.trainable_layers, settings.fine_tuning, settings.backbone.size, 1, 8 * needed)
    check_memory(network.trainable_layers, settings.fine_tuning, settings.backbone.size, 2, 4 * needed)
    with pytest.raises(PedigreeError, match=r"batch 8 at 75 px .* set fine_tuning.batch to 5\."):
        check_memory(network.trainable_layers, settings.fine_tuning, settings.backbone.size, 1, 6 * needed - 1)
    with pytest.raises(PedigreeError, match=r"set fine_tuning.from_block to a later block"):
        check_memory(network.trainable_layers, settings.fine_tuning, settings.backbone.size, 1, needed - 1)


def test_the_end_of_memory_is_a_sentence() -> None:
    """What TensorFlow raises when memory ends becomes the advice to take half of the batch."""
    with (
        pytest.raises(PedigreeError, match=r"set fine_tuning.batch to 4\."),
        report_memory_shortage(small_settings().fine_tuning, 75),
    ):
        tf.zeros((2**45,))


def test_a_damaged_checkpoint_counts_as_none() -> None:
    """A checkpoint that is cut short is no checkpoint, and one that is whole is read as it was written."""
    checkpoint = Checkpoint([np.arange(3)], [np.ones((2, 2), np.float32)], ((0, {"validation_loss": 0.1}),))
    data = checkpoint.to_bytes()
    read = Checkpoint.from_bytes(data)
    assert read
    assert (read.epochs, read.state[0].dtype) == (checkpoint.epochs, checkpoint.state[0].dtype)
    assert Checkpoint.from_bytes(data[: len(data) // 2]) is None
    assert Checkpoint.from_bytes(b"") is None
