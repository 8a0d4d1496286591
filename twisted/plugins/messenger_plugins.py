"""The `twist` subcommands. Nothing is imported until one of them is chosen."""

from twisted.application.service import ServiceMaker

gateway = ServiceMaker(
    "messenger-gateway",
    "messenger.gateway.service",
    "The entry point: routes requests and WebSockets to the services.",
    "messenger-gateway",
)
auth = ServiceMaker(
    "messenger-auth", "messenger.auth.service", "Accounts, devices, sessions and tokens.", "messenger-auth"
)
message = ServiceMaker(
    "messenger-message",
    "messenger.messages.service",
    "Conversations, messages and the WebSocket.",
    "messenger-message",
)
file = ServiceMaker("messenger-file", "messenger.files.service", "Encrypted blobs.", "messenger-file")
key = ServiceMaker("messenger-key", "messenger.keys.service", "Identity keys and prekeys.", "messenger-key")
standalone = ServiceMaker(
    "messenger",
    "messenger.standalone.service",
    "Everything in one process, on embedded engines.",
    "messenger",
)
