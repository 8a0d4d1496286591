"""The rules of conversations and messages. No Twisted, no SQL, no HTTP: stores and clocks come in."""
