"""The full screen: conversations to the left, messages to the right, what happens told as it happens.

Nothing here waits for the server: what is typed is queued in the store and shown at once, marked as waiting,
and its ticks follow. Off line the same screen stays; the line at the bottom says so, and what was missed
comes when the connection is back. At most `SHOWN` messages stand on the screen; Page Up at the top brings
older ones.
"""

import argparse
from typing import Any, ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.css.query import NoMatches
from textual.widgets import Footer, Input, Label, ListItem, ListView, Static

from messenger.client import (
    Client,
    ClientError,
    Event,
    GoneFromServer,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    PresenceChanged,
    ReceiptReceived,
    SendFailed,
    StateChanged,
    TypingChanged,
)
from messenger.client.chat.lines import conversation_line, message_line
from messenger.client.cli import secret
from messenger.client.cli.events import WARNING, event_words
from messenger.client.cli.opening import settings
from messenger.client.cli.output import clean
from messenger.client.records import Message

SHOWN = 500
PAGE = 50
TYPING_SECONDS = 6.0
STATES = {
    "online": "",
    "connecting": "connecting …",
    "offline": "off line: what you write is sent when the connection is back",
    "waiting_for_approval": "this device waits to be approved by an older one: messenger devices code",
    "session_ended": "the session has ended: messenger login",
    "taken_over": "another process is connected as this device",
    "removed": "this device was removed",
}


class Place(ListItem):
    """A conversation in the list."""

    def __init__(self, conversation: Any, online: bool) -> None:
        self.conversation = conversation
        one = conversation
        super().__init__(Label(conversation_line(one.title, one.unread, one.verified, one.ended, online)))


class Chat(App[int]):
    """The screen. `begin` names the conversation to start in."""

    CSS_PATH = None
    CSS = """
    #places { width: 30; border-right: solid $primary; }
    #title { height: 1; background: $boost; padding: 0 1; }
    #messages { height: 1fr; padding: 0 1; }
    #messages Static { height: auto; }
    #typing { height: 1; padding: 0 1; color: $text-muted; }
    #state { height: 1; padding: 0 1; background: $warning; color: $text; display: none; }
    """
    BINDINGS: ClassVar = [
        Binding("ctrl+n", "next(1)", "Next", priority=True),
        Binding("ctrl+p", "next(-1)", "Previous", priority=True),
        Binding("pageup", "older", "Older"),
        Binding("f2", "safety", "Safety number"),
        Binding("ctrl+q", "quit", "Quit", priority=True),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, client: Client, begin: str | None = None) -> None:
        super().__init__()
        self._client = client
        self._begin = begin
        self._current: Any = None
        self._shown: dict[str, Message] = {}
        self._online: set[str] = set()
        self._titles: dict[str, str] = {}
        self._typed = False

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield ListView(id="places")
            with Vertical():
                yield Static(id="title")
                yield VerticalScroll(id="messages")
                yield Static(id="typing")
                yield Input(placeholder="Write a message, Enter sends it", id="entry")
        yield Static(id="state")
        yield Footer()

    async def on_mount(self) -> None:
        self.title = self._client.username
        self._client.start()
        self._show_state(self._client.state, "")
        await self._fill_places()
        if self._begin:
            try:
                await self._open(await self._client.conversation(self._begin))
            except ClientError as error:
                self.notify(str(error), severity="error")
        elif self._places():
            await self._open(self._places()[0].conversation)
        self.query_one("#entry", Input).focus()
        self._listen()

    # the list of conversations

    def _places(self) -> list[Place]:
        return list(self.query(Place))

    async def _fill_places(self) -> None:
        view = self.query_one("#places", ListView)
        found = await self._client.conversations()
        self._titles = {one.id: one.title for one in found}
        await view.clear()
        await view.extend(Place(one, bool(one.peer and one.peer.user_id in self._online)) for one in found)
        for position, one in enumerate(found):
            if self._current is not None and one.id == self._current.id:
                view.index = position

    @on(ListView.Selected, "#places")
    async def _chosen(self, event: ListView.Selected) -> None:
        if isinstance(event.item, Place):
            await self._open(event.item.conversation)
            self.query_one("#entry", Input).focus()

    async def action_next(self, step: int) -> None:
        """The conversation below or above."""
        places = [place.conversation for place in self._places()]
        if not places:
            return
        at = next((n for n, one in enumerate(places) if self._current and one.id == self._current.id), 0)
        await self._open(places[(at + step) % len(places)])

    # one conversation

    async def _open(self, conversation: Any) -> None:
        await self._say_typing(False)
        self._current = await conversation.refresh()
        self._shown = {}
        await self.query_one("#messages", VerticalScroll).remove_children()
        await self._add(await self._current.history(PAGE))
        self.query_one("#messages", VerticalScroll).scroll_end(animate=False)
        self.query_one("#typing", Static).update("")
        await self._refresh_current()
        await self._read()

    async def _refresh_current(self) -> None:
        if self._current is None:
            return
        self._current = one = await self._current.refresh()
        marks = [mark for mark, there in (("verified", one.verified), ("ended", one.ended)) if there]
        title = clean(one.title) + (f"  ({', '.join(marks)})" if marks else "")
        self.query_one("#title", Static).update(title)
        self.query_one("#entry", Input).disabled = one.ended
        for message in self._shown.values():
            if message.outgoing:
                self._redraw(message)

    async def _read(self) -> None:
        """Tell the others what was seen."""
        if self._current is not None and self._current.unread:
            await self._current.mark_read()
            await self._fill_places()

    def _line(self, message: Message) -> Any:
        one = self._current
        return message_line(message, one.peer_delivered_seq, one.peer_read_seq)

    async def _add(self, messages: list[Message], *, before: bool = False) -> None:
        view = self.query_one("#messages", VerticalScroll)
        at_end = view.max_scroll_y - view.scroll_y < 2
        new = [one for one in messages if one.id not in self._shown]
        widgets = [Static(self._line(one), id=f"m-{one.id}", markup=False) for one in new]
        first = view.children[0] if before and view.children else None
        await view.mount(*widgets, before=first)
        added = {one.id: one for one in new}
        self._shown = {**added, **self._shown} if before else {**self._shown, **added}
        if not before:
            for message_id in list(self._shown)[:-SHOWN]:
                del self._shown[message_id]
                await self.query_one(f"#m-{message_id}").remove()
            if at_end:
                view.scroll_end(animate=False)

    def _redraw(self, message: Message) -> None:
        self._shown[message.id] = message
        self.query_one(f"#m-{message.id}", Static).update(self._line(message))

    async def action_older(self) -> None:
        """Scroll up; at the top, bring older messages."""
        view = self.query_one("#messages", VerticalScroll)
        if view.scroll_y > 0 or self._current is None or len(self._shown) >= SHOWN:
            view.scroll_page_up()
        elif self._shown:
            await self._add(await self._current.history(PAGE, before=next(iter(self._shown))), before=True)

    @on(Input.Submitted, "#entry")
    async def _send(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if not text or self._current is None or await self._found():
            return
        try:
            message = await self._current.enqueue(text)
        except ClientError as error:
            self.notify(str(error), severity="error")
            return
        event.input.value = ""
        self._typed = False
        await self._add([message])
        self.query_one("#messages", VerticalScroll).scroll_end(animate=False)

    async def _found(self) -> bool:
        """Show what the rules found here before anything is sent; then Enter has to be pressed once more."""
        try:
            found = [event_words(event, self._titles) for event in await self._current.look()]
        except ClientError:
            return False  # off line: it is looked at again before the message goes out
        for told in found:
            if told is not None:
                self.notify(told[0], title="Not sent yet", severity="error", timeout=30, markup=False)
        return bool(found)

    @on(Input.Changed, "#entry")
    async def _typing_changed(self, event: Input.Changed) -> None:
        await self._say_typing(bool(event.value))

    async def _say_typing(self, is_typing: bool) -> None:
        if self._current is not None and is_typing != self._typed:
            self._typed = is_typing
            await self._current.typing(is_typing)

    async def action_safety(self) -> None:
        """Show the safety number of the peer."""
        if self._current is None or self._current.peer is None:
            self.notify("A safety number is between two people: open a direct conversation.")
            return
        try:
            number = await self._client.safety_number(self._current.peer.username)
        except ClientError as error:
            self.notify(str(error), severity="error")
            return
        mark = (
            "verified"
            if number.verified
            else f"Compare with what the other side sees: messenger verify {clean(number.username)} DIGITS"
        )
        self.notify(f"{number.digits}\n{mark}", title=clean(number.username), timeout=30, markup=False)

    # what happens

    @work(exclusive=True, group="events")
    async def _listen(self) -> None:
        async for event in self._client.events():
            try:
                await self._take(event)
            except NoMatches:
                return  # the user has left, and the screen with its parts
            if event.position:
                await self._client.handled(event)

    async def _take(self, event: Event) -> None:  # noqa: PLR0912 - a case each
        here = self._current.id if self._current is not None else ""
        match event:
            case StateChanged(state=state, detail=detail):
                self._show_state(state, detail)
            case MessageReceived(message=message):
                if message.conversation_id == here:
                    self.query_one("#typing", Static).update("")
                    await self._add([message])
                    await self._refresh_current()
                    await self._read()
                await self._fill_places()
            case MessageSent(message=message) | SendFailed(message=message):
                if message.id in self._shown:
                    self._redraw(message)
                if isinstance(event, SendFailed):
                    self.notify(event.detail, title="Not sent", severity="error", markup=False)
            case MessageDeleted(message_id=message_id) | GoneFromServer(message_id=message_id):
                if message_id in self._shown:
                    await self._open(self._current)
            case MessageEdited(message=message):
                if message.id in self._shown:
                    self._redraw(message)
            case ReceiptReceived(conversation_id=place):
                if place == here:
                    await self._refresh_current()
            case TypingChanged(conversation_id=place, username=name, is_typing=is_typing):
                if place == here:
                    self._show_typing(name if is_typing else "")
            case PresenceChanged(user_id=user_id, status=status):
                (self._online.add if status == "online" else self._online.discard)(user_id)
                await self._fill_places()
            case _:
                await self._tell(event)

    async def _tell(self, event: Event) -> None:
        await self._fill_places()
        await self._refresh_current()
        told = event_words(event, self._titles)
        if told is not None:
            words, style = told
            bad = style == WARNING
            self.notify(
                words, severity="error" if bad else "information", timeout=30 if bad else 5, markup=False
            )

    def _show_typing(self, name: str) -> None:
        line = self.query_one("#typing", Static)
        line.update(f"{clean(name)} is typing …" if name else "")
        if name:
            self.set_timer(TYPING_SECONDS, lambda: line.update(""))

    def _show_state(self, state: str, detail: str) -> None:
        bar = self.query_one("#state", Static)
        words = STATES.get(state, state)
        bar.update(clean(f"{words} {detail}".strip()))
        bar.display = bool(words)


async def run(chosen: argparse.Namespace) -> int:
    """Open the profile and show the screen until the user leaves."""
    client = await Client.open(chosen.profile, secret.unlock(chosen), settings=settings(chosen))
    try:
        return await Chat(client, chosen.name).run_async() or 0
    finally:
        await client.close()
