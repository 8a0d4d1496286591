"""Endpoint strings, and what they do on real sockets: TLS, Unix, systemd, several processes on one port."""

import contextlib
import datetime
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.testing import MemoryReactor

from messenger.core.http.listen import Certificate, TcpListener, listener

HERE = Path(__file__).parent
REQUEST = b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n"


def pair(folder, name):
    """A self-signed certificate of this name for localhost; its files, key first."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    raw = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.key").write_bytes(raw)
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / f"{name}.key", folder / f"{name}.pem"


@pytest.mark.parametrize(
    ("text", "port", "interface", "backlog"),
    [
        ("tcp:80", 80, "", 1_024),
        ("tcp:port=80:interface=127.0.0.1:backlog=5", 80, "127.0.0.1", 5),
        (r"tcp:80:interface=\:\:1", 80, "::1", 1_024),
        ("tcp:0:reusePort=no", 0, "", 1_024),
    ],
)
def test_tcp(text, port, interface, backlog):
    reactor = MemoryReactor()
    listener(reactor, text).listen("factory")
    assert reactor.tcpServers == [(port, "factory", backlog, interface)]


def test_others_are_twisted_s():
    reactor = MemoryReactor()
    listener(reactor, "unix:/run/x:mode=660").listen("factory")
    assert reactor.unixServers == [("/run/x", "factory", 50, 0o660, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "udp:1",
        "tcp",
        "tcp:",
        "tcp:x",
        "tcp:-1",
        "tcp:65536",
        "tcp:99999999999999999999",
        "tcp:80:80",
        "tcp:80:port=80",
        "tcp:80:backlog=0",
        "tcp:80:reusePort=1",
        "tcp:80:privateKey=a",
        "tcp:80:interface=a:interface=b",
        "ssl:443",
        "ssl:443:certKey=x",
        "ssl:443:privateKey=/nowhere:certKey=/nowhere",
        "ssl:443:privateKey=/dev/null:certKey=/dev/null",
        "unix",
        "systemd:index=0",
        "systemd:index=x",
        "systemd:name=http",
        "systemd:domain=INET",
        "systemd:index=0:name=http",
        "systemd:0",
        "systemd:index=0:certKey=/dev/null",
    ],
)
def test_malformed(text):
    with pytest.raises(ValueError, match=r"."):
        listener(MemoryReactor(), text)


def test_tls(tmp_path):
    key, certificate = pair(tmp_path, "one")
    reactor = MemoryReactor()
    found = listener(reactor, f"ssl:443:privateKey={key}:certKey={certificate}")
    assert isinstance(found, TcpListener)
    assert found.certificate is not None
    with pytest.raises(ValueError, match=r"no key and its certificate"):
        listener(reactor, f"ssl:443:privateKey={key}:certKey={pair(tmp_path, 'two')[1]}")
    with pytest.raises(ValueError, match=r"nowhere.pem can't be read: No such file"):
        listener(reactor, f"ssl:443:privateKey={key}:certKey=/nowhere.pem")


def test_a_bad_file_leaves_the_old_certificate(tmp_path):
    key, certificate = pair(tmp_path, "one")
    found = Certificate(str(key), str(certificate))
    before = found.getContext()
    certificate.write_bytes(b"half written")
    found.reload()
    assert found.getContext() is before
    pair(tmp_path, "one")
    found.reload()
    assert found.getContext() is not before


# Real sockets.


@contextlib.contextmanager
def child(*endpoints, **options):
    environ = dict(os.environ, PYTHONPATH=str(HERE.parents[2]))
    command = [sys.executable, str(HERE / "listen_child.py"), *endpoints]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ, **options
    )
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        process.port = int(line)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.stdout.close()
            process.stderr.close()


def shown_name(port):
    """The subject of the certificate that a new connection is shown, and the answer to a request."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        found = x509.load_der_x509_certificate(sock.getpeercert(binary_form=True))
        sock.sendall(REQUEST)
        assert sock.recv(1_000).startswith(b"HTTP/1.1 200 OK\r\n")
        return found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


@pytest.mark.system
def test_certificates_are_read_again_on_sighup(tmp_path):
    key, certificate = pair(tmp_path, "old")
    plain_path = tmp_path / "socket"
    tls = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    with child(tls, f"unix:{plain_path}:mode=600") as process:
        assert shown_name(process.port) == "old"
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(plain_path))) as client:
            assert client.get("http://a/pid").text == str(process.pid)
            for source, path in zip(pair(tmp_path, "new"), (key, certificate), strict=True):
                source.replace(path)
            process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 5
            while shown_name(process.port) != "new":
                assert time.monotonic() < deadline
            certificate.write_bytes(b"")
            process.send_signal(signal.SIGHUP)
            assert shown_name(process.port) == "new"
            # The connection that stood all the while.
            assert client.get("http://a/pid").text == str(process.pid)


@pytest.mark.system
def test_several_processes_on_one_port():
    with child("tcp:0:interface=127.0.0.1:reusePort=yes") as one:
        where = f"tcp:{one.port}:interface=127.0.0.1:reusePort=yes"
        with child(where) as two:
            url = f"http://127.0.0.1:{one.port}/pid"
            seen = {httpx.get(url).text for _ in range(60)}
            assert seen == {str(one.pid), str(two.pid)}
            one.terminate()
            assert one.wait(10) == 0
            assert {httpx.get(url).text for _ in range(10)} == {str(two.pid)}


@contextlib.contextmanager
def handed(listening, name, endpoint):
    """A child as systemd starts it: the socket is descriptor 3, and LISTEN_PID the process's own id."""
    start = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    environ = dict(os.environ, PYTHONPATH=str(HERE.parents[2]), LISTEN_FDS="1", LISTEN_FDNAMES=name)
    number = listening.fileno()
    command = [sys.executable, str(HERE / "listen_child.py"), endpoint]
    process = subprocess.Popen(
        [sys.executable, "-c", start, str(number), *command],
        env=environ,
        pass_fds=[number],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.mark.system
@pytest.mark.parametrize("endpoint", ["systemd:domain=INET:index=0", "systemd:name=http"])
def test_a_socket_that_systemd_hands_over(endpoint):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with handed(listening, "http", endpoint) as process:
            assert process.stdout.readline() == f"{port}\n"
            assert httpx.get(f"http://127.0.0.1:{port}/pid").text == str(process.pid)


@pytest.mark.system
def test_tls_on_a_socket_of_all_addresses_that_outlives_the_process(tmp_path):
    """The default of a .socket unit is one socket for IPv6 and IPv4, and it stays when the service goes."""
    key, certificate = pair(tmp_path, "one")
    trust = ssl.create_default_context(cafile=str(certificate))
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listening:
        port = listening.getsockname()[1]
        url = f"https://localhost:{port}/pid"
        for _ in range(2):
            endpoint = f"systemd:index=0:privateKey={key}:certKey={certificate}"
            with handed(listening, "https", endpoint) as process:
                # Sent before anybody serves: it waits in the socket's queue.
                assert httpx.get(url, verify=trust, timeout=20).text == str(process.pid)


@pytest.mark.system
def test_who_waits_to_be_accepted_is_served_at_the_stop():
    with child("tcp:0:interface=127.0.0.1") as process:
        process.send_signal(signal.SIGSTOP)
        waiting = [socket.create_connection(("127.0.0.1", process.port), 10) for _ in range(50)]
        for sock in waiting:
            sock.sendall(REQUEST)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        for sock in waiting:
            data = b""
            while more := sock.recv(1_000):
                data += more
            assert data.startswith(b"HTTP/1.1 200 OK\r\n")
            sock.close()
        assert process.wait(10) == 0
