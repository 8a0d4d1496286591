"""Plumbing that knows no service. It imports `wire` and third-party libraries, never a service."""
