"""The network side: HTTP by httpx, the WebSocket by websockets. What comes in is bounded and decoded into the
wire's types here; whether it is true is judged elsewhere.

`http.py` sends one request and names what went wrong, `tokens.py` renews the session, `api.py` has a method
for each call of the wire contract, `socket.py` is one WebSocket, `backoff.py` says when to try again.
"""
