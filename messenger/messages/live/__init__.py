"""Live delivery: what was committed reaches the sockets of this instance, in order, each once.

`follower.py` is one socket in one conversation, and decides what that is shown; `feed.py` is a conversation
with its followers; `connection.py` is a socket's outgoing queue. `hub.py` is the directory of these. Around
them is what does I/O: `joining.py` (who follows what), `delivery.py` and `backlog.py` (what is read, once for
all or for one), `healing.py` (what nobody told), and what instances tell each other:
`conversation_events.py`, `device_events.py`, `signals.py`, `receipts.py`, `blocks.py`; `interest.py` is what
this instance hears of that, `audience.py` whom it tells.
"""
