"""Keras's ImageNet weights: whether a run can have them, found out before it lists anything."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.modeling.backbone import imagenet_file
from tasks.modeling.backbone.imagenet_file import IMAGENET_FILE, describe_ways_out, find_imagenet


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder of Keras's that is empty, on a machine whose proxy refuses every connection."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    # urllib remembers the proxies of its first request in a process.
    monkeypatch.setattr("urllib.request._opener", None)
    # Nobody listens there, and nobody else can begin to.
    with socket.socket() as proxy:
        proxy.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        yield tmp_path


def test_without_a_network_each_way_out_says_what_it_is_good_for(keras_home: Path) -> None:
    """The folder, the server and the reason are named, then what is as good, good too, and only for a try."""
    weights = find_imagenet()
    assert (weights.available, weights.path) == (False, keras_home / "models" / IMAGENET_FILE)
    sentences = describe_ways_out(weights)
    places = [
        sentences.index(word) for word in ("storage.googleapis.com", "refused", "As good", "Good too", "Only to try")
    ]
    assert places == sorted(places)
    assert "the gate rejects most models" in sentences


def test_a_file_in_keras_s_folder_is_enough(keras_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole file is used without any network; a broken one is none, unless a SHA-256 will judge it."""
    path = keras_home / "models" / IMAGENET_FILE
    path.parent.mkdir()
    path.write_bytes(b"half of it")
    assert not find_imagenet().available
    assert find_imagenet("ab" * 32).cached
    monkeypatch.setattr(imagenet_file, "_MD5", re.compile("no such line"))
    assert find_imagenet().cached


def test_the_installed_keras_says_where_it_has_the_file_from() -> None:
    """Address and MD5 are read from Keras's source: a Keras that writes them otherwise fails this test."""
    address, md5 = imagenet_file._origin()
    assert address.startswith("https://")
    assert address.endswith(IMAGENET_FILE)
    assert len(md5) == 32
