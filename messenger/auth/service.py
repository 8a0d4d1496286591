"""`twist messenger-auth`: accounts, devices, sessions and tokens."""

import time

from prometheus_client import CollectorRegistry, Counter
from twisted.logger import Logger

from messenger.auth.domain.accounts import Accounts
from messenger.auth.domain.derivations import Derivations
from messenger.auth.domain.factors import Factors
from messenger.auth.domain.held import StatedPasswords
from messenger.auth.domain.sessions import Sessions
from messenger.auth.factor_store import AuthFactorStore
from messenger.auth.guesses import PasswordGuesses
from messenger.auth.http import Endpoints
from messenger.auth.key_store import AuthKeyStore
from messenger.auth.passwords import BcryptPasswords
from messenger.auth.ports import Around, Outgoing, Policy
from messenger.auth.refresh import RefreshTokens
from messenger.auth.signing import Seal, SigningKeys
from messenger.auth.store import AuthStore
from messenger.core.config import trusted_networks
from messenger.core.http import Fairness, HttpMetrics, HttpServer, Router, SystemEndpoints
from messenger.core.ids import new_id
from messenger.core.lifecycle import Lifecycle
from messenger.core.metrics import ServiceMetrics
from messenger.core.outbox import Outbox
from messenger.core.periodic import Periodic
from messenger.core.schemas import newest
from messenger.core.service import Built, Context, ServiceOptions, common, make_service, route_limits
from messenger.core.threads import Threads
from messenger.core.tokens import Tokens
from messenger.wire.codec import encode
from messenger.wire.events import SessionEnded

SWEEP_SECONDS = 60.0
SECURITY_EVENTS = (
    "login_failed",
    "password_wrong",
    "guess_refused",
    "refresh_reused",
    "second_factor_added",
    "second_factor_removed",
    "second_factor_failed",
    "recovery_code_used",
    "account_deleted",
)

log = Logger(namespace="messenger.auth")


class Options(ServiceOptions):
    """The command line of `twist messenger-auth`."""

    service = "auth"
    synopsis = "[options]"
    longdesc = (
        "Registers users, logs them in and signs their access tokens; holds the only private keys. Needs "
        "PostgreSQL (schema auth, made by `messenger-admin migrate`) and NATS; listens where [auth] listen "
        "says, for the gateway. Settings: --config FILE, or MESSENGER_CONFIG, with MESSENGER_SECTION__KEY in "
        "the environment on top; [auth] database_password is a must, signing_secret and pepper are advised."
    )


class SecurityLog:
    """Security events: a log line each, and a count by event in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter(
            "messenger_auth_security_events_total",
            "Failed logins, reused refresh tokens and the like, by event.",
            ("event",),
            registry=registry,
        )
        for event in SECURITY_EVENTS:  # from 0 on: the first one is a rise too
            self._count.labels(event)

    def __call__(self, event: str, **ids: str) -> None:
        self._count.labels(event).inc()
        log.warn("security: {event}", event=event, **ids)


class Teller:
    """Sends committed events to the bus; this process hears of an ended session without that way round."""

    def __init__(self, outbox: Outbox, tokens: Tokens) -> None:
        self._outbox = outbox
        self._tokens = tokens

    def __call__(self, events: list[Outgoing]) -> None:
        for one in events:
            if isinstance(one.event, SessionEnded):
                self._tokens.end(one.event)
            self._outbox.send(one.event_id, one.subject, encode(one.event))


def build(context: Context) -> Built:
    """The auth service, top to bottom."""
    reactor, settings = context.reactor, context.settings.auth
    core = common(context, "auth", settings.database_password, newest("auth"))
    registry = CollectorRegistry()
    seal = Seal(settings.signing_secret)
    keys = SigningKeys(
        reactor, AuthKeyStore(core.database), seal, issuer=settings.issuer, audience=settings.audience
    )
    core.database.on_epoch(keys.look)
    threads = Threads(reactor, "bcrypt", settings.bcrypt_threads, settings.bcrypt_queue, yielding=True)
    ServiceMetrics(registry, core.database, context.bus, core.outbox, {"bcrypt": threads})
    note = SecurityLog(registry)
    around = Around(Teller(core.outbox, core.tokens), note, time.time, new_id)
    store, factor_store = AuthStore(core.database), AuthFactorStore(core.database)
    passwords = BcryptPasswords(threads, settings.bcrypt_cost, settings.pepper)
    guesses = PasswordGuesses(context.limits, note)
    policy = Policy(
        registration=settings.registration,
        access_token=int(settings.access_token),
        refresh_token=settings.refresh_token,
        devices=settings.devices,
        device_unseen=settings.device_unseen,
    )
    refresh_tokens = RefreshTokens(lambda: keys.refresh_key)
    stated = StatedPasswords(store, passwords, guesses, note)
    sessions = Sessions(store, factor_store, seal, passwords, keys, refresh_tokens, guesses, policy, around)
    accounts = Accounts(store, passwords, stated, sessions, keys, guesses, policy, around)
    derivations = Derivations(store, lambda: keys.salt_key)
    factors = Factors(factor_store, seal, stated, settings.issuer, around)
    system = SystemEndpoints(
        reactor,
        {"postgresql": core.database.check, "nats": context.bus.check},
        registry,
        lambda: core.database.schemas,
    )
    admission = route_limits(context, "auth", registry)
    router = Router(
        [Endpoints(accounts, sessions, factors, derivations), system],
        authenticator=core.tokens,
        body_limit=context.settings.http.body,
        admission=admission,
        fairness=Fairness(reactor),
    )
    server = HttpServer(
        reactor,
        "auth",
        settings.listen,
        router,
        setting="[auth] listen",
        draining=system.drain,
        metrics=HttpMetrics(registry),
        trusted_proxies=trusted_networks(settings.trusted_proxies, "auth"),
        spans=context.spans,
    )
    sweep = Periodic(reactor, SWEEP_SECONDS, "removal of what has expired", accounts.sweep)
    # The keys come before the tokens that are verified with them: the very first start makes them.
    return Built(
        "auth", [core.database, keys, core.tokens, core.outbox, threads, sweep, server], router, system.check
    )


def makeService(options: Options) -> Lifecycle:
    """What `twist` calls."""
    return make_service(options, "auth", build)
