"""Every setting: its section, name, type, bounds and default.

`etc/messenger.toml` shows the same with comments; a test holds the two together. Sizes are in bytes and
times in seconds unless the name says otherwise. An empty secret means that none was given.
"""

from typing import Annotated

from msgspec import Meta, Struct, field

from messenger.core.hosts import Host, hosts_of

Port = Annotated[int, Meta(ge=1, le=65535)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Bytes = Annotated[int, Meta(ge=1, le=1 << 40)]
Endpoint = Annotated[str, Meta(min_length=1, max_length=512)]
Urls = Endpoint | Annotated[list[Endpoint], Meta(min_length=1, max_length=16)]
Listen = Endpoint | Annotated[list[Endpoint], Meta(min_length=1, max_length=16)]
Text = Annotated[str, Meta(max_length=512)]
RateText = Annotated[str, Meta(pattern=r"^(off|[1-9][0-9]{0,8}/[smhd])$")]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of the file: what it does not know is an error."""


class Log(Section, frozen=True, kw_only=True):
    """Log lines on standard output."""

    level: Annotated[str, Meta(pattern="^(debug|info|warn|error|critical)$")] = "info"


class DatabaseSettings(Section, frozen=True, kw_only=True):
    """PostgreSQL 16 or newer. Each service logs in with its own role (see its section).

    `host` is one or several (see core/hosts.py); `port` is that of those without one.
    """

    host: Text = "127.0.0.1"
    port: Port = 5432
    name: Text = "messenger"
    sslmode: Annotated[str, Meta(pattern="^(disable|prefer|require|verify-ca|verify-full)$")] = "prefer"
    connections: Annotated[int, Meta(ge=1, le=100)] = 4
    statement_timeout: Seconds = 10.0
    wait: Seconds = 60.0
    admin_user: Text = "postgres"
    admin_password: Text = ""

    def __post_init__(self) -> None:
        try:
            hosts_of(self.host, self.port)
        except ValueError as error:
            raise ValueError(f"host: {error}") from None

    @property
    def hosts(self) -> tuple[Host, ...]:
        """Where PostgreSQL is: the primary is one of these."""
        return hosts_of(self.host, self.port)

    @property
    def where(self) -> str:
        """The hosts and the database in one line."""
        return f"{','.join(str(host) for host in self.hosts)}/{self.name}"


class Nats(Section, frozen=True, kw_only=True):
    """NATS with JetStream: what happened, to whoever must know. `url` is one server, or several of a cluster,
    in a list or separated by commas."""

    url: Urls = "nats://127.0.0.1:4222"
    user: Text = ""
    password: Text = ""
    replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    wait: Seconds = 10.0

    @property
    def urls(self) -> list[str]:
        """The servers, one by one."""
        texts = [self.url] if isinstance(self.url, str) else self.url
        return [url.strip() for text in texts for url in text.split(",") if url.strip()]


class Redis(Section, frozen=True, kw_only=True):
    """Redis or Valkey for limits shared by instances; an empty url keeps them in each process."""

    url: Text = ""
    password: Text = ""


class S3(Section, frozen=True, kw_only=True):
    """Any S3: MinIO, SeaweedFS, a cloud's. Blobs are ciphertext."""

    endpoint: Text = "http://127.0.0.1:9000"
    region: Text = "us-east-1"
    bucket: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = "messenger-files"
    access_key: Text = ""
    secret_key: Text = ""
    wait: Seconds = 10.0


class Http(Section, frozen=True, kw_only=True):
    """Bounds of requests, in all services. `body` is the largest JSON body; each is read whole."""

    body: Annotated[int, Meta(ge=65_536, le=1 << 24)] = 1_048_576


class Gateway(Section, frozen=True, kw_only=True):
    """The one entry point.

    `listen` is one endpoint or several (see core/http/listen.py), for clients all of them. Upstreams are
    `host:port`, several of them for several instances, or `https://host:port`; `upstream_ca` is who vouches
    for the latter's certificates, a PEM file, empty for those that the system trusts. `web` serves the web
    client at `/`. `drain` is for how long a stop says no at `/ready` before it refuses anybody. Clients that
    lost their sockets together come back within `reconnect_spread`.
    """

    listen: Listen = "tcp:8080"
    metrics_listen: Endpoint = "tcp:8090:interface=127.0.0.1"
    auth: list[Text] = field(default_factory=lambda: ["127.0.0.1:8081"])
    message: list[Text] = field(default_factory=lambda: ["127.0.0.1:8082"])
    file: list[Text] = field(default_factory=lambda: ["127.0.0.1:8083"])
    key: list[Text] = field(default_factory=lambda: ["127.0.0.1:8084"])
    upstream_ca: Text = ""
    web: bool = True
    origins: list[Text] = field(default_factory=list)
    trusted_proxies: list[Text] = field(default_factory=list)
    connections: Count = 20_000
    connections_by_address: Annotated[int, Meta(ge=0, le=1_000_000)] = 5_000
    drain: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    reconnect_spread: Annotated[float, Meta(ge=0, le=3_600)] = 10.0


class Service(Section, frozen=True, kw_only=True):
    """Settings that each service behind the gateway has.

    `trusted_proxies` are the gateways' addresses or networks: a client's address is what they say it is.
    """

    listen: Endpoint
    database_password: Text = ""
    trusted_proxies: list[Text] = field(default_factory=lambda: ["127.0.0.0/8", "::1/128"])


class Auth(Service, frozen=True, kw_only=True):
    """Accounts, sessions and tokens."""

    listen: Endpoint = "tcp:8081:interface=127.0.0.1"
    issuer: Text = "secure-messenger"
    audience: Text = "messenger"
    registration: Annotated[str, Meta(pattern="^(open|invite|closed)$")] = "open"
    access_token: Seconds = 900.0
    refresh_token: Seconds = 5_184_000.0
    devices: Annotated[int, Meta(ge=1, le=100)] = 10
    device_unseen: Seconds = 5_184_000.0
    bcrypt_cost: Annotated[int, Meta(ge=4, le=16)] = 12
    bcrypt_threads: Annotated[int, Meta(ge=1, le=64)] = 2
    bcrypt_queue: Annotated[int, Meta(ge=1, le=10_000)] = 64
    pepper: Text = ""
    signing_secret: Text = ""


class Message(Service, frozen=True, kw_only=True):
    """Conversations, messages and the WebSocket."""

    listen: Endpoint = "tcp:8082:interface=127.0.0.1"
    content: Bytes = 65_536
    page: Bytes = 1_048_576
    conversations: Count = 10_000
    blocks: Count = 5_000
    members: Annotated[int, Meta(ge=2, le=100_000)] = 1_000
    receipt_members: Annotated[int, Meta(ge=2, le=1_000)] = 32
    heartbeat: Seconds = 45.0
    sockets: Count = 20_000
    unread_bytes: Bytes = 4_194_304
    look: Seconds = 600.0


class Push(Section, frozen=True, kw_only=True):
    """Wake-ups by Web Push and UnifiedPush, which the message service sends; without a key it sends none.

    `targets` is how many devices of a user may be woken. `window` is how soon a device that was woken and did
    not come may be woken again. `networks` are networks of our own that endpoints may be in, beside public
    addresses; `ca` is who vouches for their certificates, a PEM file, empty for those that the system trusts.
    """

    vapid_key: Text = ""
    contact: Text = ""
    window: Seconds = 900.0
    targets: Count = 10
    networks: list[Text] = field(default_factory=list)
    ca: Text = ""


class File(Service, frozen=True, kw_only=True):
    """Encrypted blobs.

    `size` is the largest file, `quota` and `files` are a user's bytes and files. `unshared` is how long a
    file lives that no conversation holds, `abandoned` an upload that nobody works on, `resumable` one that
    can be resumed; `sweep` is how often what is due goes.
    """

    listen: Endpoint = "tcp:8083:interface=127.0.0.1"
    size: Bytes = 104_857_600
    quota: Bytes = 1_073_741_824
    files: Count = 100_000
    unshared: Seconds = 86_400.0
    abandoned: Seconds = 600.0
    resumable: Seconds = 86_400.0
    sweep: Seconds = 30.0
    threads: Annotated[int, Meta(ge=1, le=64)] = 4
    queue: Annotated[int, Meta(ge=1, le=10_000)] = 64


class Key(Service, frozen=True, kw_only=True):
    """Identity keys and prekeys."""

    listen: Endpoint = "tcp:8084:interface=127.0.0.1"
    one_time_prekeys: Annotated[int, Meta(ge=1, le=10_000)] = 200
    low_prekeys: Annotated[int, Meta(ge=0, le=10_000)] = 20
    claims_by_asker: Count = 20
    claims_of_device: Count = 100


class Limits(Section, frozen=True, kw_only=True):
    """Rates of the form `N/s`, `N/m`, `N/h`, `N/d`, or `off`."""

    register: RateText = "20/h"
    login: RateText = "60/h"
    claim: RateText = "600/h"
    send: RateText = "50/s"
    frame: RateText = "200/s"
    upload: RateText = "600/h"
    other: RateText = "50/s"
    group: RateText = "100/d"
    stranger: RateText = "1000/d"
    guess: RateText = "10/h"
    guess_address: RateText = "100/h"


class Otel(Section, frozen=True, kw_only=True):
    """Where spans go: an OpenTelemetry collector that takes OTLP over HTTP, or nowhere.

    `ratio` of the traces that come in at the gateway are recorded.
    """

    endpoint: Text = ""
    ratio: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0


class Settings(Section, frozen=True, kw_only=True):
    """The whole configuration."""

    log: Log = field(default_factory=Log)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    nats: Nats = field(default_factory=Nats)
    redis: Redis = field(default_factory=Redis)
    s3: S3 = field(default_factory=S3)
    http: Http = field(default_factory=Http)
    gateway: Gateway = field(default_factory=Gateway)
    auth: Auth = field(default_factory=Auth)
    message: Message = field(default_factory=Message)
    push: Push = field(default_factory=Push)
    file: File = field(default_factory=File)
    key: Key = field(default_factory=Key)
    limits: Limits = field(default_factory=Limits)
    otel: Otel = field(default_factory=Otel)
