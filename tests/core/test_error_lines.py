"""Of all that PostgreSQL's driver says, the server's own last word is what is quoted."""

import psycopg2
import pytest

from messenger.core.database.versions import error_line

REFUSED = (
    'connection to server at "localhost" (::1), port 5432 failed: Connection refused\n'
    "\tIs the server running on that host and accepting TCP/IP connections?\n"
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            REFUSED + 'connection to server at "localhost" (127.0.0.1), port 5432 failed: FATAL:  password'
            ' authentication failed for user "messenger_auth"\n',
            'connection to server at "localhost" (127.0.0.1), port 5432 failed: FATAL:  password'
            ' authentication failed for user "messenger_auth"',
        ),
        (REFUSED, 'connection to server at "localhost" (::1), port 5432 failed: Connection refused'),
        ('relation "x" does not exist\nLINE 1: select\n', 'relation "x" does not exist'),
        ("", "OperationalError"),
    ],
)
def test_the_fatal_line_is_quoted(text: str, line: str) -> None:
    assert error_line(psycopg2.OperationalError(text)) == line
