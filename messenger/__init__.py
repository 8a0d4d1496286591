"""Secure Messenger: a self-hosted, end-to-end-encrypted messenger backend."""

__version__ = "0.1.0"
