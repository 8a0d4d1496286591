"""Live delivery: what was committed reaches the sockets of this instance, in order, each once.

A `Feed` stands for a conversation that has sockets here, a `Connection` for a socket, the `Hub` knows both
and hears the bus. A connection that is behind in a conversation is brought up by its `Backlog` and gets live
messages from then on.
"""
