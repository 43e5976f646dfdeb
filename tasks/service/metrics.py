"""Metrics of the service for Prometheus; every label takes few values, whatever clients send."""

from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tasks.domain.serving.answers import Answer, ModelIdentity
from tasks.domain.serving.drift import Kind
from tasks.domain.serving.drift_report import PictureFigures

#: The media type of what ``render`` returns.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ANSWER, _JUDGEMENT = ("version", "label", "sure"), ("version", "label", "verdict")
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metrics:
    """What the service counts and measures."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "pedigree_requests", "Requests by address and HTTP status.", ["address", "status"], registry=registry
        )
        self._answers = Counter("pedigree_answers", "Photographs with an answer.", _ANSWER, registry=registry)
        self._unusable = Counter(
            "pedigree_unusable", "Photographs that were rejected, by reason.", ["reason"], registry=registry
        )
        self._feedback = Counter("pedigree_feedback", "Answers that people judged.", _JUDGEMENT, registry=registry)
        self._present = Gauge("pedigree_photographs", "Photographs at work or waiting.", registry=registry)
        self._wait = Histogram(
            "pedigree_queue_wait_seconds", "How long photographs wait for a core.", buckets=_SECONDS, registry=registry
        )
        self._decode = Histogram(
            "pedigree_decode_seconds", "How long decoding takes.", buckets=_SECONDS, registry=registry
        )
        self._network = Histogram(
            "pedigree_network_seconds", "How long network and head take.", buckets=_SECONDS, registry=registry
        )
        self._swaps = Counter(
            "pedigree_swaps", "Models that came to serve, or did not.", ["outcome"], registry=registry
        )
        self._begin_alerts_at_zero()
        self._swap_seconds = Histogram(
            "pedigree_swap_seconds", "How long loading and checking a model takes.", buckets=_SECONDS, registry=registry
        )
        self._model = Gauge(
            "pedigree_model",
            "1 for the model that serves.",
            ["name", "version", "decision", "head", "dataset"],
            registry=registry,
        )
        self._age = Gauge(
            "pedigree_following_age_seconds",
            "Seconds since the ledger or MLflow said who is champion.",
            registry=registry,
        )
        self._drift = Gauge(
            "pedigree_drift",
            "1 where two days of photographs differ from the test images, in mixture or in look.",
            ["kind"],
            registry=registry,
        )
        self._p_value = Gauge(
            "pedigree_drift_p_value", "How likely a day differs as much by chance.", ["kind"], registry=registry
        )
        self._day = Gauge(
            "pedigree_day", "What the last day's photographs have in common.", ["figure"], registry=registry
        )
        self._shadow = Gauge(
            "pedigree_shadow_answers",
            "Answers of the challenger that waits, which nobody hears, by whether the champion gives the same.",
            ["agrees"],
            registry=registry,
        )
        self._shadow_dropped = Gauge(
            "pedigree_shadow_dropped",
            "Photographs that a challenger's own network was to answer, dropped since the service was busy.",
            registry=registry,
        )
        self._shadow_counts: Callable[[], tuple[int, int, int]] = lambda: (0, 0, 0)
        self._inbox = Counter(
            "pedigree_inbox",
            "Photographs whose senders agreed to have them kept, by what became of them; and failed tries.",
            ["result"],
            registry=registry,
        )
        self._inbox_bytes = Gauge(
            "pedigree_inbox_held_bytes", "Memory of photographs that may be kept.", registry=registry
        )
        self._inbox_unreachable = Gauge(
            "pedigree_inbox_unreachable", "1 where the inbox could not be written at the last try.", registry=registry
        )
        self._following: Callable[[], tuple[ModelIdentity | None, float]] = lambda: (None, float("inf"))
        self._shown: ModelIdentity | None = None

    def _begin_alerts_at_zero(self) -> None:
        """Show what alerts ask for before it happens: Prometheus sees no increase in a series that begins at one."""
        for outcome in ("ok", "refused"):
            self._swaps.labels(outcome)
        for status in (500, 503):
            for address in ("/v1/predict", "/invocations"):
                self._requests.labels(address, str(status))

    def follow(self, ask: Callable[[], tuple[ModelIdentity | None, float]]) -> None:
        """Ask, whenever metrics are read, which model serves and how many seconds ago that was confirmed."""
        self._following = ask

    def follow_shadow(self, ask: Callable[[], tuple[int, int, int]]) -> None:
        """Ask, whenever metrics are read, how many of the challenger's answers agree, differ, and were dropped."""
        self._shadow_counts = ask

    def count_request(self, address: str, status: int) -> None:
        """Count a request.

        Args:
            address: The route's path as it is written in the API, not as the client wrote it.
            status: The HTTP status.
        """
        self._requests.labels(address, str(status)).inc()

    def count_answer(self, answer: Answer, reason: str) -> None:
        """Count what was said about a photograph.

        Args:
            answer: The answer.
            reason: Why it was rejected; empty where it was not.
        """
        if reason:
            self._unusable.labels(reason).inc()
        else:
            self._answers.labels(answer.model.version, answer.label, str(answer.sure).lower()).inc()

    def count_feedback(self, version: str, label: str, verdict: str) -> None:
        """Count an answer that a person judged.

        Args:
            version: The version of the model that answered.
            label: The class that it predicted.
            verdict: right or wrong.
        """
        self._feedback.labels(version, label, verdict).inc()

    def count_inbox(self, result: str, photographs: int) -> None:
        """Count photographs whose senders agreed to have them kept.

        Args:
            result: What became of them: kept, duplicate, ordinary, unusable, dropped, withdrawn; or failed, for a try.
            photographs: How many there are.
        """
        self._inbox.labels(result).inc(photographs)

    def show_inbox(self, held: int, *, reachable: bool) -> None:
        """Show how the inbox fares.

        Args:
            held: The memory of photographs that may be kept, in bytes.
            reachable: Whether the inbox could be written.
        """
        self._inbox_bytes.set(held)
        self._inbox_unreachable.set(not reachable)

    def set_present(self, photographs: int) -> None:
        """Tell how many photographs are at work or wait."""
        self._present.set(photographs)

    def observe(self, waited: float, decoded: float, computed: float) -> None:
        """Note how long a photograph took.

        Args:
            waited: Seconds that it waited for a core.
            decoded: Seconds of decoding.
            computed: Seconds of network and head; 0 where it was rejected.
        """
        self._wait.observe(waited)
        self._decode.observe(decoded)
        if computed:
            self._network.observe(computed)

    def count_swap(self, outcome: str, seconds: float) -> None:
        """Count a model that was to serve.

        Args:
            outcome: ok or refused.
            seconds: What loading and checking it took.
        """
        self._swaps.labels(outcome).inc()
        self._swap_seconds.observe(seconds)

    def show_day(self, kinds: Sequence[Kind], p_values: Mapping[Kind, float], live: PictureFigures) -> None:
        """Show what a day's photographs were beside the test images.

        Args:
            kinds: In what two days differ beyond chance.
            p_values: How likely the day differs as much by chance, for each kind.
            live: What its photographs have in common.
        """
        for kind, p_value in p_values.items():
            self._drift.labels(kind).set(kind in kinds)
            self._p_value.labels(kind).set(p_value)
        figures = {
            "photographs": live.pictures,
            "unsure": live.unsure,
            "unusual": live.unusual,
            "brightness": live.brightness,
            "tone": live.tone,
            "estimated_accuracy": live.accuracy,
        }
        for figure, value in figures.items():
            self._day.labels(figure).set(float("nan") if value is None else value)

    def render(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        agree, differ, dropped = self._shadow_counts()
        for word, number in (("true", agree), ("false", differ)):
            self._shadow.labels(word).set(number)
        self._shadow_dropped.set(dropped)
        identity, age = self._following()
        self._age.set(age)
        if identity != self._shown:
            self._model.clear()
            self._forget_other_versions(identity)
            self._shown = identity
        if identity:
            labels = (
                identity.name,
                identity.version,
                str(identity.decision),
                identity.head[:12],
                identity.dataset[:12],
            )
            self._model.labels(*labels).set(1)
        return generate_latest(self._registry)

    def _forget_other_versions(self, identity: ModelIdentity | None) -> None:
        """Remove the counts of all versions but the present one and the former, so that labels stay bounded."""
        current = {model.version for model in (identity, self._shown) if model}
        for counter, names in ((self._answers, _ANSWER), (self._feedback, _JUDGEMENT)):
            for version, *labels in _label_values(counter, names):
                if version not in current:
                    counter.remove(version, *labels)


def _label_values(counter: Counter, names: Sequence[str]) -> list[tuple[str, ...]]:
    samples = [sample for family in counter.collect() for sample in family.samples]
    return list(dict.fromkeys(tuple(sample.labels[name] for name in names) for sample in samples))
