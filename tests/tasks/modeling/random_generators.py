"""Python's one source of chance, in the hands of others."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def others_draw() -> Iterator[None]:
    """Draw from it in another thread all the time, as Prefect's threads do now and then."""
    done, drawn = Event(), Event()

    def draw() -> None:
        while not done.wait(0.001):
            random.random()  # noqa: S311 - no secret
            drawn.set()

    other = Thread(target=draw)
    other.start()
    try:
        drawn.wait()
        yield
    finally:
        done.set()
        other.join()
