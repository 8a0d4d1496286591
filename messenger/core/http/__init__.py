"""HTTP, once for the gateway and all services: on twisted.web's channel, with routes, limits and problems.

`route` marks endpoints, a `Router` serves them, an `HttpServer` listens. See each module's own page.
"""

from messenger.core.http.admission import RouteLimits
from messenger.core.http.answers import Answer, StreamedAnswer
from messenger.core.http.call import Admission, Call
from messenger.core.http.content import BodyLost, Content
from messenger.core.http.download import Download
from messenger.core.http.fairness import Fairness
from messenger.core.http.metrics import HttpMetrics
from messenger.core.http.request import Request
from messenger.core.http.router import Router
from messenger.core.http.routing import Route, route, routes_of
from messenger.core.http.server import HttpServer
from messenger.core.http.site import Application, Site
from messenger.core.http.system import Check, NotReady, SystemEndpoints, readiness, why_not
from messenger.core.http.upgrade import attach, hand_over, take_over

__all__ = [
    "Admission",
    "Answer",
    "Application",
    "BodyLost",
    "Call",
    "Check",
    "Content",
    "Download",
    "Fairness",
    "HttpMetrics",
    "HttpServer",
    "NotReady",
    "Request",
    "Route",
    "RouteLimits",
    "Router",
    "Site",
    "StreamedAnswer",
    "SystemEndpoints",
    "attach",
    "hand_over",
    "readiness",
    "route",
    "routes_of",
    "take_over",
    "why_not",
]
