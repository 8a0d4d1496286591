"""Wake-ups for devices that are away, by Web Push (RFC 8030) and UnifiedPush, which speaks the same.

A device tells where it wants to be woken (`PUT /push`). When a message is committed that it has not got, and
it has no open socket on any instance, its push service is asked to wake it: an encrypted "wake up" (RFC 8291)
that says nothing of the message, signed with this server's key (RFC 8292). It comes by itself then.

`Wakes` finds out who is to be woken and sees each wake-up through, `Courier` sends one, `OutboundClient`
opens connections to addresses that strangers name, and only to public ones.
"""
