"""`messenger-health URL`: whether the process at URL is well, for containers that have no curl.

    messenger-health http://127.0.0.1:8082/ready

Exit status 0 where it answers 200; else 1, with one line on standard error that says why; 2 for a wrong
command line. Redirections are not followed, and a certificate is not verified: it asks the process next door
how it is, and tells nobody anything. It runs every few seconds, so it imports next to nothing.
"""

import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

SECONDS = 4.0  # less than the time that whoever calls allows
MOST = 2_000  # bytes of an answer that are shown


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        (text,) = given
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        host = None
    if not host or url.scheme not in ("http", "https"):
        sys.stderr.write("usage: messenger-health http[s]://HOST:PORT/health (or /ready)\n")
        sys.exit(2)
    why = why_not(url.scheme == "https", host, port, url.path or "/health")
    if why:
        sys.stderr.write(f"messenger-health: {given[0]}: {why}\n")
        sys.exit(1)


def why_not(tls: bool, host: str, port: int | None, path: str) -> str:
    """Why what listens there is not well; empty where it is."""
    connection = HTTPConnection(host, port, timeout=SECONDS)
    if tls:
        import ssl

        context = ssl._create_unverified_context()  # noqa: S323 - see above
        from http.client import HTTPSConnection

        connection = HTTPSConnection(host, port, timeout=SECONDS, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(MOST)
    except TimeoutError:
        return f"no answer within {SECONDS:g} s"
    except OSError as error:
        return error.strerror or str(error)
    except HTTPException as error:
        return f"no HTTP: {type(error).__name__}"
    finally:
        connection.close()
    if answer.status == 200:
        return ""
    return " ".join(f"{answer.status} {body.decode(errors='replace')}".split())


if __name__ == "__main__":
    main()
