"""The message service: conversations, messages, and live delivery by WebSocket."""
