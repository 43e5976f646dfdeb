"""Decoding in worker processes: whatever one file does to its decoder, it costs only itself."""

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path
from subprocess import PIPE, Popen

import psutil
import pytest

from configs.errors import PedigreeError
from tasks.decoding.decoder import Decoder
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Reason, Rejection
from tests.images import validate_image
from tests.tasks.domain.pictures import progressive_bomb

LIMITS = Limits(max_bytes=10**7, max_pixels=10**6, min_side=32)
LIBRARIES = {"PIL.Image", "prefect", "tensorflow", "keras", "mlflow", "lance", "boto3", "flows"}
GOOD = Rejection(Reason.EMPTY, "a good answer")


def hang() -> None:
    """Never come back."""
    while True:
        pass


def fail() -> None:
    """Raise what nobody foresaw, in two lines."""
    raise ValueError("no such\npicture")


DEEDS: dict[bytes, Callable[[], object]] = {
    b"hang": hang,
    b"die": lambda: os.kill(os.getpid(), signal.SIGKILL),
    b"crash": os.abort,
    b"exit": sys.exit,
    b"devour": lambda: bytearray(20 * 2**30),
    b"raise": fail,
}


MISBEHAVING = "tests.tasks.decoding.test_decoder:misbehaving"


def misbehaving(data: bytes, limits: Limits) -> Rejection:
    """Do to this process what the data say, or tell its number and which of some modules it has imported."""
    assert limits == LIMITS
    if data == b"who":
        return Rejection(Reason.EMPTY, " ".join([str(os.getpid()), *LIBRARIES.intersection(sys.modules)]))
    DEEDS.get(data, int)()
    return GOOD


MISDEEDS = {
    b"hang": Reason.TOO_SLOW,
    b"die": Reason.DECODER_DIED,
    b"crash": Reason.DECODER_DIED,
    b"exit": Reason.DECODER_DIED,
    b"devour": Reason.TOO_MUCH_MEMORY,
    b"raise": Reason.DECODER_DIED,
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_a_file_that_breaks_the_decoder_costs_only_itself(misdeed: bytes) -> None:
    """A file that hangs, kills, or fills the decoder is rejected with its reason; those beside it are examined."""
    parts = [[b"fine", misdeed, b"fine"], [b"fine"] * 3, [misdeed], [b"fine"], [b"fine", misdeed, misdeed]]
    with Decoder(LIMITS, MISBEHAVING, seconds=1) as decoder, ThreadPoolExecutor(4) as pool:
        results = list(chain.from_iterable(pool.map(decoder.examine, parts)))
    assert [result.reason for result in results if isinstance(result, Rejection)] == [
        MISDEEDS.get(data, GOOD.reason) for part in parts for data in part
    ]
    assert all("\n" not in result.detail for result in results if isinstance(result, Rejection))


def test_a_real_file_that_takes_minutes_costs_only_itself(photos: Path) -> None:
    """A small JPEG of endless passes, which only a limit on time can stop, is rejected; its neighbour is examined."""
    photograph = next(photos.rglob("*.jpg")).read_bytes()
    limits = Limits(max_bytes=10**7, max_pixels=3 * 10**7, min_side=32)
    with Decoder(limits, seconds=3) as decoder:
        results, beside = decoder.examine([progressive_bomb(), photograph])
    assert isinstance(results, Rejection)
    assert results.reason is Reason.TOO_SLOW
    assert isinstance(beside, ImageInfo)


def test_real_photographs_are_examined_as_in_this_process(photos: Path) -> None:
    """A worker gives the very answer that the function gives here, for pictures and for what is none."""
    files = [path.read_bytes() for path in sorted(photos.rglob("*.jpg"))[::50]] + [b"", b"woof"]
    with Decoder(LIMITS) as decoder:
        results = decoder.examine(files)
    assert results == [validate_image(data, LIMITS) for data in files]
    assert any(isinstance(result, ImageInfo) for result in results)


def test_a_worker_imports_only_what_decoding_needs() -> None:
    """Neither Prefect nor TensorFlow nor the program that runs here is loaded once more for each worker."""
    with Decoder(LIMITS, MISBEHAVING) as decoder:
        modules = answered(decoder, b"who").split()[1:]
    assert modules == ["PIL.Image"]


def test_few_files_start_few_workers() -> None:
    """Files that come one after the other are examined by one process."""
    with Decoder(LIMITS, MISBEHAVING) as decoder:
        assert answered(decoder, b"who").split()[0] == answered(decoder, b"who").split()[0]


def test_ctrl_c_reaches_no_worker() -> None:
    """A worker has a process group of its own: what a terminal kills would look like a file that kills."""
    with Decoder(LIMITS, MISBEHAVING) as decoder:
        worker = int(answered(decoder, b"who").split()[0])
        assert os.getpgid(worker) == worker


def test_no_worker_is_left_when_a_run_is_interrupted() -> None:
    """Leaving by an exception ends the workers at once, and a file that one was busy with gets no answer."""
    with suppress(KeyboardInterrupt), ThreadPoolExecutor(2) as pool, Decoder(LIMITS, MISBEHAVING) as decoder:
        worker = psutil.Process(int(answered(decoder, b"who").split()[0]))
        hanging = pool.submit(decoder.examine, [b"hang"])
        raise KeyboardInterrupt
    assert not worker.is_running()
    assert isinstance(hanging.exception(), RuntimeError)


def test_no_worker_outlives_a_run_that_is_killed() -> None:
    """A run that is killed without a word takes its idle workers along."""
    program = "from tests.tasks.decoding.test_decoder import wait_for_death; wait_for_death()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    with Popen(command, stdin=PIPE, stdout=PIPE, env=environment, text=True) as run:  # noqa: S603 - this very Python
        assert run.stdout
        worker = psutil.Process(int(run.stdout.readline()))
        run.kill()
    worker.wait(60)


def wait_for_death() -> None:
    """Tell the number of a worker and wait, as the program that the test above kills."""
    with Decoder(LIMITS, MISBEHAVING) as decoder:
        print(answered(decoder, b"who").split()[0], flush=True)  # noqa: T201 - what the test reads
        sys.stdin.read()


@pytest.mark.parametrize("program", ["/bin/false", "/no/such/python"])
def test_a_worker_that_cannot_start_rejects_nothing(program: str) -> None:
    """Where the machine is to blame and no file, the run fails with a sentence and no photograph is refused."""
    with pytest.MonkeyPatch.context() as patch, Decoder(LIMITS, MISBEHAVING) as decoder:
        patch.setattr(sys, "executable", program)
        with pytest.raises(PedigreeError, match="does not start"):
            decoder.examine([b"fine"] * 2)
        patch.undo()
        assert decoder.examine([b"fine"]) == [GOOD]


def answered(decoder: Decoder, data: bytes) -> str:
    """Examine a file and tell the answer's detail."""
    (result,) = decoder.examine([data])
    assert isinstance(result, Rejection)
    return result.detail
