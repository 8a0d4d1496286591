"""`messenger chat`: the full screen. `app` is the screen, `lines` turns messages into what stands on it."""
