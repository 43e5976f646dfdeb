"""The server: one process that listens, follows the decisions, and stops without losing a request."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from configs.cores import count_cores, single_threaded_numpy
from configs.environment import home, secret
from configs.errors import SettingsError
from configs.servers import Inbox as InboxSettings
from configs.servers import Serve
from configs.visible_text import visible_lines
from tasks.domain.hashing import hash_photograph, sha256_of
from tasks.domain.serving.admission import Capacity
from tasks.domain.serving.answers import ModelIdentity
from tasks.service.answering import Answering
from tasks.service.collecting.collector import Collector
from tasks.service.collecting.feedback_intake import FeedbackIntake
from tasks.service.collecting.held_pictures import HeldPicture
from tasks.service.collecting.recent_answers import RecentAnswers
from tasks.service.drifting import DayReport, DriftWatch
from tasks.service.explaining import Explainer
from tasks.service.metrics import Metrics
from tasks.service.model_pages import ModelPages, PageFinder
from tasks.service.models.following import Follower
from tasks.service.models.last_good import LastGood
from tasks.service.models.model_source import Challenger, ModelSource
from tasks.service.request_log import RequestLog
from tasks.service.shadowing import Shadow
from tasks.service.web.access import Access, check_address, read_keys
from tasks.service.web.app import build_app
from tasks.service.web.bodies import Memory
from tasks.service.web.connections import BoundedProtocol
from tasks.service.web.state import ServiceState
from tasks.stores.inbox import Inbox

#: The environment variable with a secret that hashes of photographs in the log are made with.
SALT_VARIABLE = "PEDIGREE_SERVE_SALT"
# A request that was taken on ends within this time after the service has stopped to listen, in seconds.
_LAST_ANSWER = 30
_SHORT = 12
_SALT_BYTES = 16


@dataclass(frozen=True)
class Records:
    """Where it is kept what the service learns of live photographs, and where it is shown how a model came about.

    Attributes:
        on_day: Is told what each day's photographs showed.
        on_shadow: Is told how a challenger compares with the champion.
        on_refusal: Is told which champion does not serve, and why.
        collecting: How many photographs are kept whose senders agreed.
        inbox: Where they are kept; None keeps none.
        find_pages: Finds where MLflow shows a model's card; None where no MLflow is known.
    """

    on_day: Callable[[DayReport], None] = lambda _report: None
    on_shadow: Callable[[Challenger, Mapping[str, Any]], None] = lambda _challenger, _comparison: None
    on_refusal: Callable[[ModelIdentity, str], None] = lambda _champion, _reason: None
    collecting: InboxSettings = field(default_factory=InboxSettings)
    inbox: Inbox | None = None
    find_pages: PageFinder | None = None


#: Nothing is kept beside the log and the metrics.
NO_RECORDS = Records()


@dataclass(frozen=True)
class Service:
    """A service that is ready to run.

    Attributes:
        state: Its parts.
        listener: The socket on which it listens already.
        address: The address at which it answers.
    """

    state: ServiceState
    listener: socket.socket
    address: str

    def run(self, tell: Callable[[str], None]) -> None:
        """Answer until the process is told to stop.

        Args:
            tell: Is told the address, once it listens there.
        """
        # They would write a line about each broken form, and each request that is no HTTP.
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self.state.follower.start()
        self.state.explainer.start()
        self.state.drift.start()
        self.state.shadow.start()
        self.state.pages.start()
        self.state.feedback.collector.start()
        tell(self.address)
        try:
            # Photographs share the cores already: threads of one matrix product would wait for each other, spinning.
            with single_threaded_numpy():
                self._server.run(sockets=[self.listener])
        finally:
            self.state.follower.stop()
            self.state.explainer.stop()
            self.state.drift.stop()
            self.state.shadow.stop()
            self.state.pages.stop()
            self.state.answering.close()
            self.state.feedback.collector.stop()
            if self.state.follower.model:
                self.state.follower.model.squares.close()

    @cached_property
    def _server(self) -> "_DrainingServer":
        config = uvicorn.Config(
            build_app(self.state),
            http=BoundedProtocol.within(self.state.settings.body_seconds),
            ws="none",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=_LAST_ANSWER,
        )
        return _DrainingServer(config, self.state)

    def stop(self) -> None:
        """Answer what was taken on, and end ``run``; any thread may call this."""
        self._server.should_exit = True


class _DrainingServer(uvicorn.Server):
    """Goes on for a while after SIGTERM, so that whoever spreads requests sees that it is not ready any more."""

    def __init__(self, config: uvicorn.Config, state: ServiceState) -> None:
        super().__init__(config)
        self._state = state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first signal, and stop at once at the second, or at Ctrl-C."""
        del frame
        if self._state.draining or sig == signal.SIGINT:
            self.should_exit = True
            return
        self._state.draining = True
        seconds = self._state.settings.drain_seconds
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


def open_service(
    source: ModelSource,
    settings: Serve,
    listener: socket.socket | None = None,
    records: Records = NO_RECORDS,
) -> Service:
    """Open a service: check who may ask, and listen; no model is loaded yet.

    Args:
        source: Where champions are found.
        settings: Where it listens and what it takes on.
        listener: A socket that listens already, where whoever starts the service has opened its port.
        records: Is told what days showed, and how challengers compare.

    Returns:
        The service.

    Raises:
        SettingsError: The address cannot be listened on, or others could reach it without a key.
    """
    keys = read_keys()
    check_address(settings.host, keys)
    metrics = Metrics()
    log = RequestLog(sys.stderr, secret(SALT_VARIABLE).encode())
    last_good = LastGood(_copy_folder(source))
    follower = Follower(source, last_good, settings, metrics.count_swap, _write_line)
    follower.on_refusal = records.on_refusal
    explainer = Explainer(source, follower, settings, _write_line)
    salt = secret(SALT_VARIABLE).encode() or os.urandom(_SALT_BYTES)
    drift = DriftWatch(explainer, settings, salt, _today, partial(_tell_day, metrics, records.on_day), _write_line)
    recent, observers = RecentAnswers(), [drift.observe]
    capacity = Capacity(count_cores(), settings.queue)
    answering = Answering(capacity, metrics, explainer, observers, [log.write, recent.remember])
    name = partial(hash_photograph, salt=log.salt)
    shadow = Shadow(source, follower, settings, answering.is_idle, name, records.on_shadow, _write_line)
    # The one asks whether anybody waits, and the other tells it of each photograph.
    observers.append(shadow.observe)
    follower.spare = shadow.spare
    collector = Collector(records.collecting, records.inbox, partial(_is_disputed, shadow), salt, metrics, _write_line)
    observers.append(collector.observe)
    feedback = FeedbackIntake(recent, metrics, log, collector)
    pages = ModelPages(follower, records.find_pages, settings.follow_seconds, _write_line)
    state = ServiceState(
        settings,
        follower,
        answering,
        metrics,
        Access(keys),
        Memory(settings),
        explainer,
        drift,
        shadow,
        feedback,
        pages,
    )
    metrics.follow_shadow(shadow.counts)
    metrics.follow(lambda: (follower.model.identity if follower.model else None, state.following_age()))
    listener = listener or _listen(settings)
    host, port = listener.getsockname()[:2]
    return Service(state, listener, f"http://{f'[{host}]' if ':' in host else host}:{port}")


def _copy_folder(source: ModelSource) -> Path:
    """Return where the last good model is kept, apart from those of other places."""
    return home() / "serving" / sha256_of(source.place)[:_SHORT]


def _listen(settings: Serve) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=1024)
        # An answer's head and body are two packets: the second would wait 40 ms until the first is acknowledged.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        # Python appends the address to the system's words; a name that does not resolve has words of its own.
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise SettingsError(
            f"Nothing can listen on {settings.host}:{settings.port} ({reason}): correct serve.host or serve.port."
        ) from error
    return listener


def _is_disputed(shadow: Shadow, picture: HeldPicture) -> bool:
    return shadow.disputes(picture.model, picture.features, picture.prediction.label or "", picture.data)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _tell_day(metrics: Metrics, on_day: Callable[[DayReport], None], report: DayReport) -> None:
    metrics.show_day(report.kinds, report.p_values, report.live)
    _write_line(f"{report.day}: {'; '.join(report.sentences)}.")
    on_day(report)


def _write_line(sentence: str) -> None:
    sys.stderr.write(f"{visible_lines(sentence)}\n")
    sys.stderr.flush()
