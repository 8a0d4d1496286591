"""`twist messenger-message`: conversations, messages and the WebSocket."""

import time
from functools import partial

from twisted.internet.defer import ensureDeferred

from messenger.core.clock import clock_of
from messenger.core.http.call import Call
from messenger.core.lifecycle import Lifecycle
from messenger.core.limits.stores import LocalCounts
from messenger.core.service import Built, Context, ServiceOptions, foundation, make_service, serve
from messenger.messages.batch_loader import BatchLoader
from messenger.messages.charging import Charges
from messenger.messages.commits import Commits
from messenger.messages.dispatch import Parts
from messenger.messages.domain.blocks import Blocks
from messenger.messages.domain.conversations import Bounds, Conversations
from messenger.messages.domain.devices import Devices
from messenger.messages.domain.messages import Messages
from messenger.messages.domain.preferences import Preferences
from messenger.messages.http import (
    BlockEndpoints,
    ConversationEndpoints,
    MessageEndpoints,
    PreferenceEndpoints,
    PushEndpoints,
)
from messenger.messages.live.build import build_live
from messenger.messages.metrics import MessageLags, MessageMetrics, batch_sizes
from messenger.messages.model import Draft, HeadsEvent, Outcome
from messenger.messages.openings import Openings
from messenger.messages.presence import Presence
from messenger.messages.progress import Progress
from messenger.messages.push.build import build_push
from messenger.messages.replenish import ask_for_prekeys
from messenger.messages.socket import Socket, SocketFactory, accept
from messenger.messages.store.blocks import BlockStore
from messenger.messages.store.conversations import ConversationStore
from messenger.messages.store.cursors import CursorStore
from messenger.messages.store.messages import MessageStore
from messenger.messages.store.preferences import PreferenceStore
from messenger.messages.store.prekeys import PrekeyStore
from messenger.messages.store.presence import PresenceStore
from messenger.messages.store.tickets import TicketStore
from messenger.messages.store.upkeep import UpkeepStore
from messenger.messages.upkeep import Housekeeping


class Options(ServiceOptions):
    """The command line of `twist messenger-message`."""

    service = "message"
    synopsis = "[options]"
    longdesc = (
        "Stores ciphertext, numbers it, and delivers it by WebSocket. Wants PostgreSQL and NATS; see "
        "[message], [database] and [nats] in the settings. Listens on port 8082 of the loopback unless "
        "told otherwise."
    )


def build(context: Context) -> Built:
    """The message service: its parts in the order in which they start, and its router."""
    reactor, settings = context.reactor, context.settings.message
    base, now = foundation(context, "message"), clock_of(reactor)
    message_store, conversation_store = MessageStore(base.database), ConversationStore(base.database)
    cursors = CursorStore(base.database)
    lags = MessageLags(base.registry)
    block_store = BlockStore(base.database)
    live = build_live(
        reactor,
        settings,
        context.bus,
        base.outbox,
        message_store,
        cursors,
        block_store,
        lags.delivered.observe,
    )

    def publish(event: HeadsEvent) -> None:
        live.events.changed(event.event_id, event.heads)

    push = build_push(reactor, context.settings.push, base.database, base.registry, context.alone)

    def committed(event_id: str, stored: list[tuple[Draft, Outcome]]) -> None:
        live.events.committed(event_id, stored)
        push.committed(stored)

    commits = Commits(message_store, committed, batch_sizes(base.registry).observe, lags.committed.observe)
    progress = Progress(reactor, cursors, live.receipts.risen)
    presence = Presence(reactor, PresenceStore(base.database), live.hub, context.bus, push.gone)
    live.backlog.on_synced(lambda connection: ensureDeferred(presence.greet(connection)))
    exhausted = BatchLoader(reactor, PrekeyStore(base.database).exhausted, lambda _: 1)
    live.backlog.on_synced(lambda connection: ensureDeferred(ask_for_prekeys(exhausted.load, connection)))
    upkeep = Housekeeping(reactor, UpkeepStore(base.database, conversation_store), context.bus, publish)
    devices = Devices(conversation_store, now)
    messages = Messages(
        message_store,
        conversation_store,
        commits,
        devices,
        now,
        publish,
        settings.content,
        settings.page,
        lags.accepted.observe,
    )
    bounds = Bounds(settings.members, settings.conversations)
    conversations = Conversations(conversation_store, devices, publish, bounds, context.limits)
    blocks = Blocks(block_store, conversation_store, live.blocks.changed, settings.blocks)
    base.tokens.on_ended(live.hub.end_session)

    charges = Charges(context.limits.of("send"), context.limits.of("frame"), LocalCounts(time.monotonic))
    parts = Parts(
        reactor,
        live.hub,
        live.joining,
        live.signals,
        messages,
        progress,
        presence,
        base.tokens,
        int(settings.heartbeat),
        charges,
        lambda: base.database.epoch,
    )

    spread = partial(live.hub.send_away, context.settings.gateway.reconnect_spread)
    for listener in (devices.forget_all, progress.forget, spread):
        base.database.on_epoch(listener)
    tickets = TicketStore(base.database)
    openings = Openings(reactor)

    async def let_in(call: Call, socket: Socket) -> None:
        await accept(call, socket, parts, tickets.redeem)
        charges.open(socket.identity.device_id)
        await base.admission(call)  # the router asks for no token here, so it can't count by user
        await openings.turn()

    MessageMetrics(base.registry, live.hub, live.backlog, commits, progress, lags)
    sockets = SocketFactory(parts, settings.sockets)
    # Stopped from the end: no new requests, commits under way answered, sockets sent away with 1001 and
    # given a moment to go, then what they acknowledged is written.
    parts_in_order = [
        *base.parts,
        *push.parts,
        upkeep,
        progress,
        presence,
        sockets,
        *live.parts,
        commits,
    ]
    endpoints = [
        ConversationEndpoints(conversations),
        MessageEndpoints(messages),
        BlockEndpoints(blocks),
        PreferenceEndpoints(Preferences(PreferenceStore(base.database))),
        PushEndpoints(push.rules),
    ]
    built = serve(context, base, endpoints, parts_in_order, threads=push.threads)
    built.router.websocket("/ws", sockets, let_in)
    return built


def makeService(options: Options) -> Lifecycle:
    """The service, for `twist`."""
    return make_service(options, "message", build)
