"""What Prometheus reads at /metrics. One registry per app, so that two apps in one process do not meet."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from personalize.rendering import Renders

DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Request durations by route template, decisions by policy, events by outcome, renders by source."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.request_seconds = Histogram(
            "personalize_request_duration_seconds",
            "Time from a request's first byte to the answer's last, by route template.",
            ("method", "route", "status"),
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.decisions = Counter(
            "personalize_decisions_total",
            "Impressions answered, by policy and variant.",
            ("policy", "variant"),
            registry=self.registry,
        )
        self.events = Counter(
            "personalize_events_total",
            "Clicks and purchases received, by outcome.",
            ("type", "outcome"),
            registry=self.registry,
        )

    def watch_renders(self, renders: Renders) -> None:
        """Read the renderer's own counts whenever the metrics are read."""
        self.registry.register(_RendersCollector(renders))

    def text(self) -> bytes:
        """All of it in the Prometheus text format."""
        return generate_latest(self.registry)


class _RendersCollector(Collector):
    def __init__(self, renders: Renders) -> None:
        self._renders = renders

    def collect(self) -> Iterator[Metric]:
        counts = self._renders.counts
        renders = CounterMetricFamily(
            "personalize_renders", "Renders asked for, by where they came from.", labels=("source",)
        )
        for source in ("found", "joined", "rendered", "failed"):
            renders.add_metric((source,), getattr(counts, source))
        yield renders
        yield GaugeMetricFamily(
            "personalize_renders_waiting", "Requests that wait for a render now.", self._renders.n_waiting
        )
        yield GaugeMetricFamily(
            "personalize_render_store_bytes", "Bytes in the render store.", self._renders.store.n_bytes
        )
