"""What a server says when it is ready: who gets in, and what it takes to let others in."""

from pathlib import Path

from messenger.standalone.welcome import ready_lines


def said(url: str, host: str, registration: str = "open") -> str:
    return "\n".join(ready_lines([url], [host], registration, Path("/srv/chat")))


def test_for_this_machine_alone_it_says_how_others_get_in() -> None:
    for url, host in (("http://127.0.0.1:8080", "127.0.0.1"), ("http://[::1]:8080", "::1"), ("unix:/x", "")):
        text = said(url, host)
        assert text.startswith(f"ready at {url}")
        assert "for this machine alone" in text
        assert "MESSENGER_GATEWAY__LISTEN=ssl:8443:" in text
        assert "MESSENGER_AUTH__REGISTRATION=invite" in text
        assert "WITHOUT TLS" not in text


def test_without_tls_it_warns() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        assert "WITHOUT TLS" in said("http://127.0.0.1:8080", host)
        assert "this machine alone" not in said("http://127.0.0.1:8080", host)


def test_by_tls_it_says_who_may_register() -> None:
    text = said("https://127.0.0.1:8443", "0.0.0.0", "invite")
    assert "WITHOUT" not in text
    assert "messenger-admin --data /srv/chat invites make" in text
    assert "users create" in said("https://127.0.0.1:8443", "0.0.0.0", "closed")


def test_one_of_several_counts() -> None:
    urls, hosts = ["https://127.0.0.1:8443", "http://127.0.0.1:8080"], ["0.0.0.0", "0.0.0.0"]
    assert "WITHOUT TLS" in "\n".join(ready_lines(urls, hosts, "open", Path("/srv/chat")))
