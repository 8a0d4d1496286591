"""The page at `/about`, and at `/` where the web client is not served: what this is and how to go on, in one
document that loads nothing.

Its headers let it do nothing but show itself: no script, no frame, no request to anybody (CSP level 3), and
the one style is allowed by its hash.
"""

import base64
import hashlib
import html

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:2rem 1rem}
h1{font-size:1.6rem}h2{font-size:1.1rem;margin-top:2rem}
pre{padding:.8rem;overflow:auto;border:1px solid #8886;border-radius:.4rem}
code,pre{font:14px/1.5 ui-monospace,monospace}
""".strip()

_BODY = """<!doctype html>
<html lang="en"> <head> <meta charset="utf-8"> <meta name="viewport" content="width=device-width,
initial-scale=1"> <title>Secure Messenger</title> <style>{style}</style> </head> <body> <h1>Secure Messenger
is running</h1> <p>This is the server of an end-to-end-encrypted messenger, version {version}. It keeps
accounts, public keys and ciphertext; what people write to each other it can't read. {use}</p>
<h2>Is it well?</h2> <p><a href="/ready"><code>/ready</code></a> says whether every
service is ready, <a href="/api/v1/info"><code>/api/v1/info</code></a> what a client may expect here.</p>
<h2>A first account</h2> <pre>curl -s {base}/api/v1/auth/register \\
  -H 'Content-Type: application/json' \\
  -d '{{"username": "alice", "password": "correct horse battery"}}'</pre>
<p>The answer holds an access token for the next call:</p>
<pre>curl -s {base}/api/v1/auth/me -H "Authorization: Bearer $TOKEN"</pre>
<h2>Writing a client</h2>
<p>HTTP lies under <code>/api/v1</code> and is described by
<a href="/api/v1/openapi.json"><code>/api/v1/openapi.json</code></a> (OpenAPI 3.1); live events come over one
WebSocket at <code>/ws</code> with the subprotocol <code>messenger.v1</code>.</p>
</body>
</html>
"""

_IN_A_BROWSER = 'People use it <a href="/">in a browser</a>, or with another client.'
_BY_A_CLIENT = "People use it with a client, not with a browser."

_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "max-age=300",
    "Vary": "Host",
}


def page(version: str, base: str, *, web: bool) -> bytes:
    """The page, for a server that is reached at `base` (such as `http://127.0.0.1:8080`); `web`: the web
    client is served, too."""
    use = _IN_A_BROWSER if web else _BY_A_CLIENT
    filled = _BODY.format(style=_STYLE, version=html.escape(version), base=html.escape(base), use=use)
    return filled.encode("utf-8")
