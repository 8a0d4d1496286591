"""The comparison with other servers: what it reads of XMPP, how it counts, and what it tells."""

import asyncio
import json
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from benchmarks.peers import debian, summary
from benchmarks.peers.daemon import Database
from benchmarks.peers.ejabberd import configuration as ejabberd
from benchmarks.peers.load import Figures, Loop
from benchmarks.peers.prosody import configuration as prosody
from benchmarks.peers.summary import BEGIN, END, Measured, readme, rows_of
from benchmarks.peers.xmpp import Client, Stanzas, message
from benchmarks.report import Missing, Row, page

ROOT = Path(__file__).parents[2]

OPENING = (
    b"<?xml version='1.0'?><stream:stream id='1' version='1.0' xml:lang='en' from='localhost'"
    b" xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client'>"
)
FEATURES = b"<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></stream:features>"
MESSAGE = (
    "<message from='a@localhost/1' to='b@localhost' type='chat' id='m1'>"
    "<body>5 &lt; 6 \u00e9\U0001f600</body><stanza-id xmlns='urn:xmpp:sid:0' id='9'/></message>"
).encode()


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_stream_is_cut_into_its_stanzas_however_it_arrives(size: int) -> None:
    data = OPENING + FEATURES + b"\n " + MESSAGE + MESSAGE + b"<presence/>"
    stanzas = Stanzas()
    found = [one for at in range(0, len(data), size) for one in stanzas.feed(data[at : at + size])]
    assert [one.tag.partition("}")[2] for one in found] == ["features", "message", "message", "presence"]
    bodies = [one.findtext("{jabber:client}body") for one in found]
    assert bodies == [None, "5 < 6 \u00e9\U0001f600", "5 < 6 \u00e9\U0001f600", None]


def test_what_has_been_heard_is_not_kept() -> None:
    stanzas = Stanzas()
    stanzas.feed(OPENING)
    for _ in range(100):
        [one] = stanzas.feed(MESSAGE)
    assert stanzas._stream is not None
    assert len(stanzas._stream) == 0
    assert one.get("id") == "m1"


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n", OPENING + b"<a></b>"])
def test_what_is_no_xml_ends_the_stream(data: bytes) -> None:
    with pytest.raises(ConnectionError):
        Stanzas().feed(data)


def test_a_name_is_quoted() -> None:
    stanzas = Stanzas()
    stanzas.feed(OPENING)
    [one] = stanzas.feed(message("o'neil&", 'a"b', "text").encode())
    assert (one.get("to"), one.get("id")) == ("o'neil&@localhost", 'a"b')


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = ""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data.decode()

    def abort(self) -> None:
        self.closed = True

    def taken(self) -> str:
        written, self.written = self.written, ""
        return written


def test_a_client_signs_up_logs_in_and_hears() -> None:
    async def story() -> None:
        heard: list[Element] = []
        lost: list[Exception] = []
        client, wire = Client("ann", "secret", heard.append, lost.append, sign_up=True), Wire()
        client.connection_made(wire)  # type: ignore[arg-type]
        assert wire.taken().startswith("<?xml version='1.0'?><stream:stream to='localhost'")
        client.data_received(OPENING + FEATURES)
        assert "<username>ann</username><password>secret</password>" in wire.taken()
        client.data_received(b"<iq type='result' id='up'/>")
        assert "mechanism='PLAIN'>AGFubgBzZWNyZXQ=</auth>" in wire.taken()
        client.data_received(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        assert "<stream:stream" in wire.taken()
        client.data_received(OPENING + FEATURES)
        assert "<bind " in wire.taken()
        client.data_received(b"<iq type='result' id='bind'/>")
        assert wire.taken() == "<presence/>"
        assert not client.present.done()
        client.data_received(b"<presence from='ann@localhost/1'/>" + MESSAGE)
        await client.present
        assert [one.get("id") for one in heard] == ["m1"]
        client.data_received(
            b"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
        )
        assert wire.closed
        assert "conflict" in str(lost[0])

    asyncio.run(story())


def test_a_password_that_is_refused_is_an_error() -> None:
    async def story() -> None:
        client = Client("ann", "wrong", print, print)
        client.connection_made(Wire())  # type: ignore[arg-type]
        client.data_received(OPENING + FEATURES)
        client.data_received(b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>")
        with pytest.raises(ConnectionError, match="not-authorized"):
            await client.present

    asyncio.run(story())


def test_the_next_message_goes_out_when_one_is_done() -> None:
    async def story() -> None:
        sent: list[str] = []
        loop = Loop(confirmations=2)
        loop.send(sent.append)
        loop.delivered(sent[0])
        assert (loop.done, len(sent)) == (0, 1)
        loop.confirmed(sent[0])
        assert (loop.done, len(sent), len(loop.latencies)) == (1, 2, 1)
        ending = asyncio.ensure_future(loop.end())
        await asyncio.sleep(0)
        loop.confirmed(sent[1])
        loop.delivered(sent[1])
        await ending
        assert (loop.done, len(sent)) == (2, 2)

    asyncio.run(story())


def test_what_arrives_twice_or_unasked_is_an_error() -> None:
    async def story() -> None:
        sent: list[str] = []
        loop = Loop(confirmations=1)
        loop.send(sent.append)
        loop.delivered(sent[0])
        with pytest.raises(KeyError):
            loop.delivered(sent[0])
        loop.fail(RuntimeError("refused"))
        with pytest.raises(RuntimeError, match="refused"):
            await loop.pass_time(60)

    asyncio.run(story())


def test_what_is_not_installed_is_told_in_one_line() -> None:
    said = "ejabberd installed 23.01-1\nprosody config-files 0.12.3-1\n"
    with pytest.raises(Missing) as told:
        debian.installed(said)
    assert str(told.value).startswith("not installed: erlang-p1-pgsql, prosody, lua-dbi-postgresql; ")
    assert str(told.value).endswith("apt-get install ejabberd erlang-p1-pgsql prosody lua-dbi-postgresql")
    assert "\n" not in str(told.value)
    all_there = "".join(f"{name} installed 1.0\n" for name in debian.PACKAGES)
    assert debian.installed(all_there) == dict.fromkeys(debian.PACKAGES, "1.0")


def test_the_servers_are_to_listen_on_the_loopback_alone() -> None:
    database = Database(5432, "peer", "secret")
    assert 'ip: "127.0.0.1"' in ejabberd(5222, database)
    assert 'interfaces = { "127.0.0.1" }' in prosody(Path("/nowhere"), 5222, database)


def measured(done: int, cpu: float) -> Measured:
    return Measured(Figures(done, 10.0, 0.004, 0.009, done + 50), done + 50, cpu, cpu / 2, 0.1)


def rows() -> list[Row]:
    found = {
        (name, in_flight): [measured(1_000, factor * cpu) for cpu in (0.3, 0.1, 0.2)]
        for name, factor in (("Prosody", 20), ("ejabberd", 6), ("ours", 1))
        for in_flight in (1, 8)
    }
    memory = {"ours": 20_480.0, "ejabberd": 51_200.0, "Prosody": 30_720.0}
    return rows_of(found, memory, {"ejabberd": "23.01-1", "prosody": "0.12.3-1+deb12u1"}, 0.5)


def test_the_round_with_the_median_cost_is_told_and_how_far_they_spread() -> None:
    by_name = {row.what: row for row in rows()}
    cost = by_name["ours, 8 in flight: CPU a message, server and PostgreSQL"]
    assert (round(cost.value), cost.unit, cost.note) == (300, "µs", "rounds: 150 to 450")
    assert round(by_name["ours, 8 in flight: CPU a message, PostgreSQL"].value) == 100
    assert by_name["ours, 8 in flight: messages a second"].value == 100
    assert by_name["ejabberd, 1 in flight: latency to the receiver, p99"].value == 9
    assert by_name["Prosody: memory of an idle connection"] == (
        "Prosody: memory of an idle connection",
        30.0,
        "KB",
        "version 0.12.3-1+deb12u1",
    )


def test_the_readme_tells_no_more_than_the_rows() -> None:
    text = readme(f"before\n{BEGIN}old\n{END}after\n", rows())
    assert text.startswith(f"before\n{BEGIN}| | ours | ejabberd 23.01 | Prosody 0.12.3 |\n")
    assert text.endswith(f"{END}after\n")
    assert "| CPU a message, with PostgreSQL's, 8 in flight | 300 µs | 1,800 µs | 6,000 µs |\n" in text
    assert "In that run, on that machine (" in text
    assert "load average before the run 0.5)" in text
    assert "ejabberd 6 times and Prosody 20 times" in text
    assert readme(text, rows()) == text
    with pytest.raises(ValueError, match="no place"):
        readme("no marks", rows())


def test_the_readme_and_the_page_are_those_of_the_last_run() -> None:
    kept = json.loads((ROOT / "docs" / "performance.json").read_text())
    last = [Row(*row) for row in kept["peers"]]
    text = (ROOT / "README.md").read_text()
    assert text == readme(text, last), "run `make bench-peers`"
    made = page({"peers": last}, {"peers": summary.ABOUT})
    assert made[made.index("## peers") :] in (ROOT / "docs" / "performance.md").read_text()
