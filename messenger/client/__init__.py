"""The Python client: HTTP, WebSocket, end-to-end encryption, its own store, and the command line."""
