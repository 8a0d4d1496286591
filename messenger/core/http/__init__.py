"""HTTP, once for the gateway and all services: on twisted.web's channel, with routes, limits and problems.

`routing.py` marks endpoints, a Router (`router.py`) serves them, an HttpServer (`server.py`) listens. Each
module is imported by its own name, so that nobody loads the server for a header.
"""
