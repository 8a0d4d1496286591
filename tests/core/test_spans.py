"""What an OpenTelemetry collector is told, and who chooses it."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from twisted.internet.task import Clock
from twisted.web.http_headers import Headers

from messenger.core.http.site import Site
from messenger.core.http.trace import trace_of
from messenger.core.settings import Otel
from messenger.core.spans import Spans

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_the_gateway_chooses_what_is_recorded_and_the_services_follow() -> None:
    app: Any = None
    asked = Headers({"traceparent": [f"00-{TRACE}-{PARENT}-01"]})
    spans = Spans(Otel(endpoint="http://127.0.0.1:9", ratio=1.0), "gateway")
    assert not Site(Clock(), app, chooses_traces=True).trace_of(asked).sampled
    assert Site(Clock(), app, chooses_traces=True, spans=spans).trace_of(Headers()).sampled
    assert Site(Clock(), app).trace_of(asked).sampled


class Collector(HTTPServer):
    """Takes what is exported."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Take)
        self.spans: list[Any] = []


class Take(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.spans += [
            span for resource in body.resource_spans for scope in resource.scope_spans for span in scope.spans
        ]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_a_collector_is_told_what_was_answered() -> None:
    collector = Collector()
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    try:
        spans = Spans(Otel(endpoint=f"http://127.0.0.1:{collector.server_port}"), "message")
        trace = trace_of(Headers({"traceparent": [f"00-{TRACE}-{PARENT}-01"]}))
        spans.answered(trace, "request-1", "GET", "/conversations/{conversation_id}", 503, 0.25)
        spans.close()
    finally:
        collector.shutdown()
        collector.server_close()
    [span] = collector.spans
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == (
        TRACE,
        trace.span_id,
        PARENT,
    )
    assert span.name == "GET /conversations/{conversation_id}"
    assert span.end_time_unix_nano - span.start_time_unix_nano == 250_000_000
    told = {one.key: one.value for one in span.attributes}
    assert told["messenger.request_id"].string_value == "request-1"
    assert told["http.response.status_code"].int_value == 503


def test_the_ratio_is_of_traces_not_of_requests() -> None:
    spans = Spans(Otel(endpoint="http://127.0.0.1:9", ratio=0.5), "gateway")
    assert spans.chosen("0" * 17 + "f" * 15)
    assert not spans.chosen("0" * 16 + "f" * 16)
