"""A decoder that a file took over: it has nothing to steal, reaches nothing, and is believed nothing impossible."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.decoding.decoder import Decoder
from tasks.decoding.worker_functions import answer
from tasks.domain.images.crops import PARTS_BYTES
from tasks.domain.images.image_info import (
    Description,
    ImageInfo,
    ImageProperties,
    describe_brightness,
    describe_image,
    name_image,
)
from tasks.domain.images.near_duplicates import HASH_BYTES
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.ingestion.decoder_protocol import DECODER_REASONS, parse_responses
from tests.tasks.decoding.hostile_worker import EXAMINER
from tests.tasks.domain.images.test_preprocessing import WAYS
from tests.tasks.domain.images.test_preprocessing_hostile import BAD, GOOD
from tests.tasks.domain.pictures import LIMITS

SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_PROFILE",
    "MLFLOW_TRACKING_PASSWORD",
    "PREFECT_API_KEY",
    "PEDIGREE_HOME",
    "HOME",
)
Examine = Callable[[bytes, Limits], Description | Rejection]
HARMLESS = {"LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "OPENBLAS_NUM_THREADS", "TZ"}
HARMLESS |= {"MALLOC_TOP_PAD_", "PILLOW_BLOCKS_MAX", "PYTHONHOME", "PYTHONPATH"}
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process from files and from others")


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    """Start a decoder whose workers do what a file says."""
    with Decoder(LIMITS, EXAMINER, seconds=5) as started:
        yield started


def ask(decoder: Decoder, *deeds: str) -> list[str]:
    """Send files that say what is to be done, and read what came of it."""
    answers = decoder.examine([deed.encode() for deed in deeds])
    assert all(isinstance(given, Rejection) for given in answers)
    return [given.detail for given in answers if isinstance(given, Rejection)]


def test_a_worker_knows_nothing_of_the_environment(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's environment holds a few harmless names, whatever secrets the run's holds."""
    for name in SECRETS:
        monkeypatch.setenv(name, "secret")
    (names,) = ask(decoder, "environment")
    assert set(names.split()[1:]) <= HARMLESS


@LINUX
@pytest.mark.parametrize("deed", ["read", "list", "write", "delete", "rename", "folder", "link", "mode", "times"])
def test_a_worker_reaches_no_file(decoder: Decoder, tmp_path: Path, deed: str) -> None:
    """No file can be read, listed, made, changed or removed, and the next picture is examined by the same worker."""
    secret = tmp_path / "secret"
    if deed not in ("folder", "link"):
        secret.write_text("secret")
    before = [(path.name, path.stat()) for path in tmp_path.iterdir()]
    answers = ask(decoder, f"{deed} {tmp_path if deed == 'list' else secret}", "fine")
    assert answers == ["refused PermissionError", "did "]
    assert [(path.name, path.stat()) for path in tmp_path.iterdir()] == before


@LINUX
def test_a_worker_reaches_no_network(decoder: Decoder) -> None:
    """Nothing is sent or taken, by TCP, UDP or a name of this machine's own; the listener hears nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as local:
        local.bind("\0pedigree-test")
        local.listen()
        port = listener.getsockname()[1]
        deeds = [f"connect 127.0.0.1:{port}", f"datagram 127.0.0.1:{port}", "listen", "abstract pedigree-test"]
        answers = ask(decoder, *deeds)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert answers == ["refused PermissionError"] * 4


@LINUX
@pytest.mark.parametrize("deed", ["signal", "signal-all", "signal-group", "trace", "memory", "its-environment"])
def test_a_worker_reaches_no_other_process(decoder: Decoder, deed: str) -> None:
    """The run can be neither killed nor read nor traced by whoever decodes for it."""
    assert ask(decoder, deed)[0].startswith("refused ")


@LINUX
@pytest.mark.parametrize("deed", ["fork", "run", "become", "namespace", "user"])
def test_a_worker_becomes_nothing_else(decoder: Decoder, deed: str) -> None:
    """No process is forked, no program started, no right won."""
    assert ask(decoder, deed, "fine")[0].startswith("refused ")


@pytest.mark.parametrize("deed", ["more-files", "more-memory", "more-time", "more-nothing"])
def test_a_worker_cannot_raise_its_limits(decoder: Decoder, deed: str) -> None:
    """What a worker may use at most was said by the run, and stays."""
    assert ask(decoder, deed)[0].startswith("refused ")


MEASURES = {"brightness": 0.5, "contrast": 0.1, "sharpness": 9.0, "tone": 0.5}


def picture(**changed: object) -> str:
    """Write an answer about a picture that would be believed, but for what is changed."""
    hashes = {"phash": "00" * HASH_BYTES, "parts": "00" * PARTS_BYTES}
    plain = {"width": 99, "height": 99, "format": "PNG", **hashes, "measures": MEASURES}
    return json.dumps([{**plain, **changed}])


BABBLE = {
    "nothing": "lie ",
    "no JSON": "lie woof",
    "one answer too many": 'lie [{"reason":"empty","detail":""},{"reason":"empty","detail":""}]',
    "none": "lie []",
    "an unknown reason": 'lie [{"reason":"promoted","detail":""}]',
    "what only the run knows": 'lie [{"reason":"removed-for-good","detail":""}]',
    "half a letter": 'lie [{"reason":"empty","detail":"\\ud800"}]',
    "a novel": f'lie [{{"reason":"empty","detail":"{"x" * 501}"}}]',
    "a picture of absurd size": f"lie {picture(width=10**9, height=10**9)}",
    "a negative size": f"lie {picture(width=-99, height=-99)}",
    "a thumbnail": f"lie {picture(width=9, height=9)}",
    "a size in words": f"lie {picture(width='99')}",
    "a format of its own": f"lie {picture(format='EXE')}",
    "a short hash": f"lie {picture(phash='00')}",
    "too few parts": f"lie {picture(parts='00' * HASH_BYTES)}",
    "no number": f"lie {picture(measures={**MEASURES, 'tone': float('nan')})}",
    "more than was asked": f"lie {picture(image='0' * 64)}",
    "a pickle": "pickle PLACE",
    "more than can be": "long ",
    "a long message": "big ",
    "bytes without end": "rush PLACE",
}


@pytest.mark.parametrize("kind", BABBLE)
def test_an_impossible_answer_counts_as_a_dead_decoder(decoder: Decoder, tmp_path: Path, kind: str) -> None:
    """What is no possible answer costs the file that it is about: nothing is run, and the next file is examined."""
    secret = tmp_path / "pwned"
    deed = BABBLE[kind].replace("PLACE", str(secret)).encode()
    (babbling,), (after,) = decoder.examine([deed]), decoder.examine([b"fine"])
    assert isinstance(babbling, Rejection)
    assert babbling.reason is Reason.DECODER_DIED
    assert after == Rejection(Reason.EMPTY, "did ")
    assert not secret.exists()


def test_a_believable_answer_is_believed(decoder: Decoder) -> None:
    """The plain answer that the cases above change is taken, so that each is refused for what it changes."""
    (believed,) = decoder.examine([f"lie {picture()}".encode()])
    assert isinstance(believed, ImageInfo)


@pytest.mark.parametrize("deed", ["half ", f"deaf {picture()}"])
def test_a_worker_that_stops_in_the_middle_is_ended_in_time(deed: str) -> None:
    """One that announces an answer and does not send it, or takes no further file, holds nobody for longer."""
    with Decoder(LIMITS, EXAMINER, seconds=1) as decoder:
        decoder.examine([deed.encode()])
        (stuck,) = decoder.examine([b"fine" + bytes(10**7)])
        (after,) = decoder.examine([b"fine"])
    assert isinstance(stuck, Rejection)
    assert after == Rejection(Reason.EMPTY, "did ")


FINITE = st.floats(0, 1)
DESCRIPTIONS = st.builds(
    Description,
    width=st.integers(LIMITS.min_side, 3000),
    height=st.integers(LIMITS.min_side, 3000),
    format=st.sampled_from(["JPEG", "PNG", "HEIF", "MPO"]),
    phash=st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES),
    measures=st.builds(
        ImageProperties, brightness=FINITE, contrast=FINITE, sharpness=st.floats(0, 128**2), tone=FINITE
    ),
    parts=st.binary(min_size=PARTS_BYTES, max_size=PARTS_BYTES),
)
REJECTIONS = st.builds(Rejection, st.sampled_from(DECODER_REASONS), st.text(max_size=20))


@given(st.lists(DESCRIPTIONS | REJECTIONS, max_size=4))
def test_every_answer_comes_back_as_it_was_given(answers: list[Description | Rejection]) -> None:
    """What a worker writes is read as the very same, to the last bit; only long details are cut."""
    message = json.dumps([answer(lambda *_, given=given: given, b"", LIMITS) for given in answers]).encode()
    assert parse_responses(message, len(answers), LIMITS) == answers


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.binary() | JSON.map(json.dumps).map(str.encode))
def test_whatever_else_comes_is_refused(message: bytes) -> None:
    """Bytes and JSON of any other shape are a ValueError, never another error and never an answer."""
    with pytest.raises(ValueError, match=r"validation error|answers about"):
        parse_responses(message, 1, LIMITS)


@pytest.mark.parametrize("describe", [describe_image, describe_brightness])
def test_everything_that_is_allowed_still_decodes(describe: Examine) -> None:
    """Shut in, a worker examines every format, profile and odd file bit for bit as a process that may do anything."""
    files = [data() for data, _, _ in WAYS.values()] + [data() for data in GOOD.values()]
    with Decoder(LIMITS, f"{describe.__module__}:{describe.__name__}") as decoder:
        results = decoder.examine(files)
    assert results == [name_image(data, describe(data, LIMITS)) for data in files]
    assert {result.format for result in results if isinstance(result, ImageInfo)} >= {
        "JPEG",
        "PNG",
        "WEBP",
        "TIFF",
        "AVIF",
        "HEIF",
    }


LATE = """
import sys, tasks.decoding.worker_functions
from pathlib import Path
from tasks.domain.images.image_info import describe_brightness
from tasks.domain.images.preprocessing import Limits
tasks.decoding.worker_functions.load_formats()
before = set(sys.modules)
for path in Path(sys.argv[1]).iterdir():
    describe_brightness(path.read_bytes(), Limits(10**7, 10**7, 32))
print(*set(sys.modules) - before)
"""


def test_nothing_is_imported_when_a_file_comes(tmp_path: Path) -> None:
    """All that any kind of file needs is loaded before the doors are shut, since no module can be read afterwards."""
    files = [data() for data, _, _ in WAYS.values()] + [data() for data, _ in BAD.values()]
    for number, data in enumerate([*files, *(data() for data in GOOD.values())]):
        (tmp_path / str(number)).write_bytes(data)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", LATE, str(tmp_path)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert done.stdout.split() == []


DOORS = """
import json, os, socket, sys
from tasks.decoding import sandbox
if "seccomp" in sys.argv: sandbox._MACHINES.clear()
if "landlock" in sys.argv: sandbox._CREATE_RULESET = 0xFFFF
left = sandbox.lock_down()
refused = {}
def attempt(name, deed):
    try: deed()
    except OSError: refused[name] = True
    else: refused[name] = False
attempt("open", lambda: open("/etc/hostname"))
attempt("socket", socket.socket)
attempt("unlink", lambda: os.unlink(sys.argv[1]))
attempt("signal", lambda: os.kill(os.getppid(), 0))
attempt("fork", lambda: os.fork() or os._exit(0))
os.write(1, json.dumps([left, refused]).encode())
"""


@LINUX
@pytest.mark.parametrize(
    ("lacking", "restrictions", "open_doors"),
    [
        ((), [], set()),
        (("landlock",), [], set()),
        (("seccomp",), ["other processes"], {"fork"}),
        (("seccomp", "landlock"), ["files", "other processes"], {"unlink", "signal", "fork"}),
    ],
)
def test_a_kernel_that_offers_less_takes_what_it_can(
    tmp_path: Path, lacking: tuple[str, ...], restrictions: list[str], open_doors: set[str]
) -> None:
    """Without one or both of the kernel's walls the limits still hold, and what is left open is said, not guessed."""
    secret = tmp_path / "file"
    secret.write_text("")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", DOORS, str(secret), *lacking]
    done = subprocess.run(program, env=environment, capture_output=True, check=True)  # noqa: S603 - our own program
    answers, refused = json.loads(done.stdout)
    assert answers == restrictions
    assert {name for name, was_refused in refused.items() if not was_refused} == open_doors
