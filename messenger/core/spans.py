"""Requests as spans, to an OpenTelemetry collector (OTLP over HTTP); only this module knows OpenTelemetry.

Off unless `[otel] endpoint` names a collector, and an extra: `pip install 'secure-messenger[otel]'`. The
gateway chooses which traces are recorded (`ratio` of them, by their ids); the services do as it says. A span
is made when its request has been answered. Spans wait in a bounded queue for a thread that sends them; while
the collector is away they are dropped, and requests go on. They bear route templates, methods, statuses and
ids of requests; never paths, addresses or users.
"""

from time import time_ns
from typing import TYPE_CHECKING, Any

from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from messenger import __version__
from messenger.core.lifecycle import EX_CONFIG, StartError
from messenger.core.settings import Otel

if TYPE_CHECKING:
    from messenger.core.http.trace import Trace

QUEUE = 2_048
BATCH = 512
EXPORT_SECONDS = 5.0
FLUSH_SECONDS = 1.0
_SECOND = 10**9
_WHOLE = 1 << 64

log = Logger()


class Spans:
    """Exports spans of `service`; a part, whose stop sends what waits, within FLUSH_SECONDS or so."""

    def __init__(self, settings: Otel, service: str) -> None:
        try:
            from opentelemetry import trace as api
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.id_generator import IdGenerator
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON
        except ImportError:
            raise StartError(
                "[otel] endpoint wants OpenTelemetry: pip install 'secure-messenger[otel]'", EX_CONFIG
            ) from None

        class Given(IdGenerator):
            """Gives the ids that the request has already."""

            trace_id = span_id = 0

            def generate_trace_id(self) -> int:
                return self.trace_id

            def generate_span_id(self) -> int:
                return self.span_id

        self._api = api
        self._ids = Given()
        self._bound = int(settings.ratio * _WHOLE)
        exporter = OTLPSpanExporter(
            endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS
        )
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,  # what comes here has been chosen
            resource=Resource({"service.name": service, "service.version": __version__}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter, max_queue_size=QUEUE, max_export_batch_size=BATCH, schedule_delay_millis=1_000
            )
        )
        self._tracer = self._provider.get_tracer("messenger", __version__)

    async def start(self) -> None:
        """The thread that sends runs already."""

    async def stop(self) -> None:
        """Send what waits, and end."""
        await deferToThread(self.close)

    def close(self) -> None:
        """The same, blocking."""
        self._provider.force_flush(int(FLUSH_SECONDS * 1000))
        self._provider.shutdown()

    def chosen(self, trace_id: str) -> bool:
        """Whether a trace that comes in here is to be recorded, by everybody."""
        return int(trace_id[16:], 16) < self._bound

    def answered(
        self, trace: "Trace", request_id: str, method: str, route: str, status: int, seconds: float
    ) -> None:
        """A request has been answered just now, after so many seconds."""
        api, ids, end = self._api, self._ids, time_ns()
        ids.trace_id, ids.span_id = int(trace.trace_id, 16), int(trace.span_id, 16)
        context: Any = None
        if trace.parent_id is not None:
            parent = api.SpanContext(
                ids.trace_id, int(trace.parent_id, 16), True, api.TraceFlags(api.TraceFlags.SAMPLED)
            )
            context = api.set_span_in_context(api.NonRecordingSpan(parent))
        span = self._tracer.start_span(
            f"{method} {route}",
            context=context,
            kind=api.SpanKind.SERVER,
            start_time=end - int(seconds * _SECOND),
            attributes={
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "messenger.request_id": request_id,
            },
        )
        if status >= 500:
            span.set_status(api.StatusCode.ERROR)
        span.end(end)
