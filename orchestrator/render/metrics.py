"""What a ledger has as metrics of Prometheus."""

from collections.abc import Iterator

from orchestrator.errors import UsageError
from orchestrator.ledger.records import Totals
from orchestrator.rollout.events import RunState

BOUNDS = (100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000)
"""The buckets of durations, in milliseconds."""
_PLACE = ("environment", "database")


def exposition(of: Totals, project: str) -> str:
    """Return the text that Prometheus reads. ``of`` has its durations up to each of ``BOUNDS``.

    Raises ``UsageError`` where ``prometheus_client`` is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import generate_latest
    except ImportError:
        raise UsageError(
            "metrics are written with prometheus_client, which is not here: "
            "pip install 'alembic-orchestrator[web]'"
        ) from None
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(of, project))  # type: ignore[arg-type]
    return generate_latest(registry).decode()


class _Collected:
    """The families of metrics, as the registry asks for them."""

    def __init__(self, of: Totals, project: str) -> None:
        self._of, self._project = of, project

    def collect(self) -> Iterator[object]:
        """Yield each family."""
        yield self._runs()
        yield self._targets()
        yield self._attempts()
        yield self._durations()
        yield self._gates()
        yield self._succeeded()

    def _gauge(self, name: str, text: str, *labels: str):  # type: ignore[no-untyped-def]
        from prometheus_client.core import GaugeMetricFamily

        return GaugeMetricFamily(f"orchestrator_{name}", text, labels=("project", *labels))

    def _runs(self) -> object:
        found = self._gauge("runs", "Runs in the ledger.", "verb", "state")
        verbs = {verb for verb, _ in self._of.runs} or {"upgrade"}
        for verb in sorted(verbs):
            for state in RunState:
                found.add_metric(
                    (self._project, verb, state.value), self._of.runs.get((verb, state), 0)
                )
        return found

    def _targets(self) -> object:
        text = "Targets of runs that are not over."
        found = self._gauge("run_targets", text, *_PLACE, "state")
        for (environment, database, state), number in self._of.targets.items():
            word = "open" if state is None else state.value
            found.add_metric((self._project, environment, database, word), number)
        return found

    def _attempts(self) -> object:
        from prometheus_client.core import CounterMetricFamily

        found = CounterMetricFamily(
            "orchestrator_attempts",
            "Attempts that ended.",
            labels=("project", *_PLACE, "state"),
        )
        for (environment, database, state), number in self._of.attempts.items():
            found.add_metric((self._project, environment, database, str(state)), number)
        return found

    def _durations(self) -> object:
        from prometheus_client.core import HistogramMetricFamily

        found = HistogramMetricFamily(
            "orchestrator_attempt_duration_seconds",
            "What attempts took that ended.",
            labels=("project", *_PLACE),
        )
        for one in self._of.durations:
            buckets = [
                (str(bound / 1000), number)
                for bound, number in zip(BOUNDS, one.at_most, strict=True)
            ]
            found.add_metric(
                (self._project, one.environment, one.database),
                [*buckets, ("+Inf", one.count)],
                sum_value=one.milliseconds / 1000,
            )
        return found

    def _gates(self) -> object:
        text = "For how long runs wait at a gate."
        found = self._gauge("gate_wait_seconds", text, "run", "wave")
        for run, wave, since in self._of.at_gates:
            waited = max(0, self._of.now - since) / 1000
            found.add_metric((self._project, str(run), wave), waited)
        return found

    def _succeeded(self) -> object:
        text = "When a target was brought last to where it was to go."
        found = self._gauge("last_success_timestamp_seconds", text, *_PLACE)
        for (environment, database), at in self._of.succeeded.items():
            found.add_metric((self._project, environment, database), at / 1000)
        return found
