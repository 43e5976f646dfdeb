"""Answering: photographs are taken on within bounds, and worked on one a core, each on its own."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.serving.admission import Capacity, update_mean
from tasks.domain.serving.answers import Answer, write_id
from tasks.domain.serving.inbox.consent import Consent
from tasks.domain.serving.problems import ProblemKind, ServiceProblem, ServiceProblemError
from tasks.modeling.packaged_model import Prediction, predict_features
from tasks.service.explaining import Explainer
from tasks.service.metrics import Metrics
from tasks.service.models.served_model import Observation, ServedModel, Vector

# Seconds without a photograph after which the service counts as idle: clients that ask one after the other pause less.
_CALM = 0.2
#: Is told of each answer and of the photograph's bytes, once the answer is there.
Listener = Callable[[Answer, bytes], None]
#: Is told of each photograph that has an answer, with all that is known of it.
Observer = Callable[[Observation], None]


@dataclass(frozen=True, slots=True)
class _Task:
    """A photograph that waits for its answer."""

    model: ServedModel
    data: bytes
    consent: Consent
    why: bool
    submitted: float
    observers: Sequence[Observer]


class Answering:
    """A bounded queue before as many threads as there are cores; requests enter it in the event loop alone.

    A photograph is decoded in a process of its own and computed alone: no answer depends on who else asks.
    """

    def __init__(
        self,
        capacity: Capacity,
        metrics: Metrics,
        explainer: Explainer,
        observers: Sequence[Observer] = (),
        listeners: Sequence[Listener] = (),
    ) -> None:
        """Start no thread yet.

        Args:
            capacity: How many photographs are taken on.
            metrics: Gets counts and times.
            explainer: Holds what explains answers.
            observers: Are told of each photograph that has an answer, in the thread that made it.
            listeners: Are told of each answer, in the thread that made it.
        """
        self._capacity, self._metrics, self._explainer = capacity, metrics, explainer
        self._observers, self._listeners = observers, listeners
        self._pool = ThreadPoolExecutor(capacity.cores, thread_name_prefix="answer")
        self._present, self._seconds, self._changed = 0, 0.0, time.monotonic()

    @property
    def present(self) -> int:
        """Return how many photographs are at work or wait."""
        return self._present

    def is_idle(self) -> bool:
        """Return whether no photograph is at work or waits, and none was a moment ago."""
        return not self._present and time.monotonic() - self._changed >= _CALM

    @property
    def most(self) -> int:
        """Return the most photographs that are taken on at once."""
        return self._capacity.most

    def close(self) -> None:
        """Let what is at work end, and take on nothing any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def check_room(self, photographs: int = 1) -> None:
        """Check, before a body is read, that its photographs can be taken on.

        Args:
            photographs: How many there are, at least.

        Raises:
            ServiceProblemError: The queue is full.
        """
        if not self._capacity.admits(self._present, photographs):
            raise ServiceProblemError(
                ProblemKind.BUSY,
                f"{self._present:,} photographs are at work or wait, and no more are taken on.",
                retry_after=self._capacity.retry_after(self._present, self._seconds),
            )

    async def answer(
        self,
        model: ServedModel,
        photographs: Sequence[bytes],
        *,
        why: bool = False,
        consent: Consent = Consent.NONE,
        observer: Observer | None = None,
    ) -> list[Answer]:
        """Answer photographs, each on its own; where the request is given up, those that still wait are dropped.

        Args:
            model: The model that answers all of them.
            photographs: The files.
            why: Whether each answer is to say why.
            consent: What their sender says about keeping them.
            observer: Is told of these photographs alone, as the observers are of all.

        Returns:
            One answer a photograph, in their order.
        """
        self.check_room(len(photographs))
        observers = [*self._observers, *filter(None, [observer])]
        began = time.perf_counter()
        pending = [self._submit(_Task(model, data, consent, why, began, observers)) for data in photographs]
        try:
            return [await answer for answer, _ in pending]
        finally:
            for answer, work in pending:
                answer.cancel()
                work.cancel()

    def _submit(self, task: _Task) -> tuple[asyncio.Future[Answer], Future[Answer]]:
        """Let a thread work on a photograph; one message of it wakes the event loop."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._change_present(1)
        work = self._pool.submit(self._answer, task)
        work.add_done_callback(lambda done: loop.call_soon_threadsafe(self._deliver, done, answer))
        return answer, work

    def _deliver(self, work: Future[Answer], answer: asyncio.Future[Answer]) -> None:
        """Hand over what a thread answered, if anybody still waits for it."""
        self._change_present(-1)
        if answer.done() or work.cancelled():
            answer.cancel()
        elif error := work.exception():
            answer.set_exception(error)
        else:
            answer.set_result(work.result())

    def _change_present(self, change: int) -> None:
        self._present += change
        self._changed = time.monotonic()
        self._metrics.set_present(self._present)

    def _answer(self, task: _Task) -> Answer:
        model, data, submitted, started = task.model, task.data, task.submitted, time.perf_counter()
        square = model.squares.decode(data)
        decoded = time.perf_counter()
        if isinstance(square, Rejection):
            answer = _refuse(model, square, decoded - started)
            self._metrics.observe(started - submitted, decoded - started, 0)
        else:
            features = model.backbone.network(square)
            prediction = predict_features(model.head, features)
            unusual, reasons = self._explain(model, features, prediction, why=task.why)
            ended = time.perf_counter()
            answer = Answer(
                _new_id(),
                model.identity,
                prediction.label,
                prediction.probability,
                prediction.sure,
                prediction.probabilities,
                1000 * (ended - started),
                unusual=unusual,
                why=reasons,
            )
            for observer in task.observers:
                observer(Observation(model, data, square, features, prediction, unusual, answer.id, task.consent))
            self._metrics.observe(started - submitted, decoded - started, ended - decoded)
            self._seconds = update_mean(self._seconds, ended - started)
        self._metrics.count_answer(answer, answer.problem.reason if answer.problem else "")
        for listener in self._listeners:
            listener(answer, data)
        return answer

    def _explain(
        self, model: ServedModel, features: Vector, prediction: Prediction, *, why: bool
    ) -> tuple[float | None, Mapping[str, Any] | None]:
        """Return how unusual a photograph is, as far as that is known, and where it was asked for why."""
        knowledge = self._explainer.known(model)
        if knowledge is None or prediction.label is None or prediction.probabilities is None:
            return None, {"unavailable": self._explainer.waits} if why else None
        if not why:
            return knowledge.unusual(features), None
        explanation = knowledge.explain(features, prediction.probabilities)
        return explanation.unusual, knowledge.describe(explanation, prediction.label, self._explainer.address)


def _refuse(model: ServedModel, rejection: Rejection, seconds: float) -> Answer:
    kind = ProblemKind.TOO_LARGE if rejection.reason is Reason.TOO_MANY_BYTES else ProblemKind.UNUSABLE
    problem = ServiceProblem(kind, f"{rejection.detail}.", rejection.reason.value)
    return Answer(_new_id(), model.identity, None, None, False, None, 1000 * seconds, problem)  # noqa: FBT003 - not sure


def _new_id() -> str:
    return write_id(time.time_ns() // 10**6, os.urandom(10))
