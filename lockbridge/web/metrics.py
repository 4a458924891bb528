"""Figures for Prometheus: what this process counted, and what the database answers when it is asked."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lockbridge.services import Services
from lockbridge.storage.database import StorageUnavailable
from lockbridge.storage.figures import Figures, figures

FRESH_FOR = timedelta(seconds=10)
"""The database is asked for figures at most this often, however many people scrape."""


class Counts(Protocol):
    """Whoever counted something in this process, by two labels."""

    def items(self) -> Iterable[tuple[tuple[str, str], int]]:
        """The labels and how often."""


@dataclass
class Metrics:
    """The page ``/metrics``. ``webhooks`` is counted by platform and outcome, ``calls`` by verb and outcome."""

    services: Services
    webhooks: Counts
    _latest: Figures | None = None
    _asked_at: datetime | None = None
    _registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._registry.register(_Told(self))

    async def page(self) -> bytes:
        """The figures in Prometheus' text form. Without a database: those of this process, and that it is away."""
        now = self.services.clock.now()
        if self._asked_at is None or now >= self._asked_at + FRESH_FOR:
            self._latest, self._asked_at = await self._ask(now), now
        return generate_latest(self._registry)

    async def _ask(self, now: datetime) -> Figures | None:
        try:
            return await self.services.database.ask(figures, now)
        except StorageUnavailable:
            return None

    def families(self) -> Iterator[Metric]:
        """Every figure, for the registry."""
        yield _counter("lockbridge_webhooks", "Webhooks that came in", ("platform", "outcome"), self.webhooks)
        calls = self.services.accounts.calls
        yield _counter("lockbridge_lock_app_calls", "Calls to lock apps", ("verb", "outcome"), calls)
        yield _gauge("lockbridge_database_up", "Whether the database answers", int(self._latest is not None))
        if self._latest is not None:
            yield from _of_database(self._latest)


class _Told(Collector):
    """What the registry asks."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Every figure."""
        return self._metrics.families()


def _of_database(latest: Figures) -> Iterator[Metric]:
    known = {"waiting": 0, "dead": 0, **latest.webhooks}
    yield _by("lockbridge_inbox", "Webhooks that wait to be read, or that were given up", "state", known)
    yield _by("lockbridge_messages", "Messages", "state", latest.messages)
    yield _by("lockbridge_alarms_open", "What is wrong now", "kind", latest.alarms)
    yield _by("lockbridge_lock_app_accounts", "Connected lock apps", "state", latest.accounts)
    yield _gauge("lockbridge_stays_to_plan", "Stays whose codes are to be planned now", latest.stays_to_plan)
    yield _gauge("lockbridge_locks", "Locks", latest.locks)
    yield _gauge("lockbridge_locks_due", "Locks that need attention now", latest.locks_due)
    yield _gauge("lockbridge_locks_offline", "Locks that cannot be reached", latest.locks_offline)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counter(name: str, text: str, labels: tuple[str, str], counts: Counts) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in counts.items():
        family.add_metric(key, value)
    return family
