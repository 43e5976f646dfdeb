"""A model's decoding processes live as long as somebody uses it."""

import gc

import psutil

from configs.cores import count_cores
from tasks.domain.images.rejections import Rejection
from tasks.service.models.served_model import Squares
from tests.servers import wait_until
from tests.tasks.service.champions import LIMITS, dogs


def test_decoding_processes_end_with_the_last_request_of_their_model() -> None:
    """All are there before the first client comes, and none is left once nobody holds the model any more."""
    squares = Squares(75, LIMITS, 30)
    squares.warm_up()
    processes = [psutil.Process(number) for number in squares.processes]
    assert len(processes) == count_cores()
    assert not isinstance(squares.decode(dogs(1)[0]), Rejection)
    del squares
    gc.collect()
    wait_until(lambda: not any(process.is_running() for process in processes), 10, "their end", pause=0.05)
