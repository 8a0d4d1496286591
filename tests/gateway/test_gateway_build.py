"""The gateway as its settings build it, and settings that can't be."""

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock

from messenger.core.http.server import HttpServer
from messenger.core.lifecycle import EX_CONFIG, StartError
from messenger.core.service import Context
from messenger.core.settings import Auth, Gateway, Http, Key, Settings
from messenger.gateway.service import build, info_of


def built(**settings):
    return build(Context(MemoryReactorClock(), Settings(gateway=Gateway(**settings)), None))


def test_the_server_has_what_the_settings_say():
    service = built(
        listen=["tcp:1", "tcp:2"],
        drain=7.0,
        connections=5,
        connections_by_address=2,
        auth=["auth.internal:1"],
    )
    *_, server = service.parts
    assert isinstance(server, HttpServer)
    assert server.grace == 7.0
    client = IPv4Address("TCP", "192.0.2.1", 1)
    assert [server.site.buildProtocol(client) is not None for _ in range(3)] == [True, True, False]


def test_info_says_what_the_settings_say():
    settings = Settings(http=Http(body=70_000), key=Key(claims_by_asker=7), auth=Auth(device_unseen=5.0))
    limits = info_of(settings).limits
    assert (limits["body"], limits["claims_by_asker"], limits["device_unseen"]) == (70_000, 7, 5)
    assert all(type(value) is int for value in limits.values())


def test_trust(tmp_path):
    from tests.core.http.test_http_listen import pair

    _, certificate = pair(tmp_path, "one")
    built(upstream_ca=str(certificate), key=["https://key.internal:8084", "https://127.0.0.1:8084"])


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"upstream_ca": "/nowhere.pem"}, "[gateway] upstream_ca: /nowhere.pem can't be read: No such file"),
        ({"upstream_ca": "/dev/null"}, "[gateway] upstream_ca: /dev/null holds no certificates (PEM)"),
        ({"auth": ["http://auth:8081"]}, "[gateway] auth: an upstream is HOST:PORT or https://HOST:PORT"),
        ({"file": []}, "[gateway] file: the service file has no address"),
        ({"origins": ["null"]}, "[gateway] origins: not an origin: 'null'"),
        ({"origins": ["*"]}, "[gateway] origins: not an origin: '*'"),
        ({"trusted_proxies": ["loadbalancer"]}, "[gateway] trusted_proxies"),
    ],
)
def test_what_can_not_be_is_one_line(settings, named):
    with pytest.raises(StartError) as caught:
        built(**settings)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.status == EX_CONFIG
