"""`twist messenger-auth`: accounts, devices, sessions and tokens."""

from collections.abc import Sequence

from messenger.auth.domain.accounts import Accounts
from messenger.auth.domain.derivations import Derivations
from messenger.auth.domain.factors import Factors
from messenger.auth.domain.reauthentication import Reauthentication
from messenger.auth.domain.sessions import Sessions
from messenger.auth.guesses import PasswordGuesses
from messenger.auth.http import AuthEndpoints
from messenger.auth.model import Policy
from messenger.auth.passwords import BcryptPasswords
from messenger.auth.refresh import RefreshTokens
from messenger.auth.security_log import SecurityLog
from messenger.auth.signing import Seal, SigningKeys
from messenger.auth.store.accounts import AccountStore
from messenger.auth.store.devices import DeviceStore
from messenger.auth.store.factors import FactorStore
from messenger.auth.store.sessions import SessionStore
from messenger.auth.store.signing_keys import SigningKeyStore
from messenger.core.clock import clock_of
from messenger.core.lifecycle import Lifecycle
from messenger.core.outgoing import Outgoing
from messenger.core.periodic import Periodic
from messenger.core.service import Built, Context, ServiceOptions, foundation, make_service, serve
from messenger.core.threads import Threads
from messenger.wire.events import SessionEnded

SWEEP_SECONDS = 60.0


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


def build(context: Context) -> Built:
    """The auth service, top to bottom."""
    reactor, settings = context.reactor, context.settings.auth
    base = foundation(context, "auth")
    seal = Seal(settings.signing_secret)
    keys = SigningKeys(
        reactor, SigningKeyStore(base.database), seal, issuer=settings.issuer, audience=settings.audience
    )
    base.database.on_epoch(keys.look)
    threads = Threads(reactor, "bcrypt", settings.bcrypt_threads, settings.bcrypt_queue, yielding=True)
    clock, security_log = clock_of(reactor), SecurityLog(base.registry)

    def publish(events: Sequence[Outgoing]) -> None:
        for one in events:
            if isinstance(one.event, SessionEnded):  # this process hears of it without the way over the bus
                base.tokens.end(one.event)
        base.outbox.publish(events)

    account_store, device_store = AccountStore(base.database), DeviceStore(base.database)
    session_store, factor_store = SessionStore(base.database), FactorStore(base.database)
    passwords = BcryptPasswords(threads, settings.bcrypt_cost, settings.pepper)
    guesses = PasswordGuesses(context.limits, security_log)
    policy = Policy(
        registration=settings.registration,
        access_token=int(settings.access_token),
        refresh_token=settings.refresh_token,
        devices=settings.devices,
        device_unseen=settings.device_unseen,
    )
    reauthentication = Reauthentication(account_store, passwords, guesses, security_log)
    sessions = Sessions(
        account_store,
        session_store,
        factor_store,
        seal,
        passwords,
        keys,
        RefreshTokens(lambda: keys.refresh_key),
        guesses,
        policy,
        clock,
        publish,
        security_log,
    )
    accounts = Accounts(
        account_store,
        device_store,
        passwords,
        reauthentication,
        sessions,
        guesses,
        policy,
        publish,
        security_log,
    )
    derivations = Derivations(account_store, lambda: keys.salt_key)
    factors = Factors(factor_store, seal, reauthentication, settings.issuer, clock, security_log)
    sweep = Periodic(reactor, SWEEP_SECONDS, "removal of what has expired", accounts.sweep)
    # The keys come before the tokens that are verified with them: the very first start makes them.
    return serve(
        context,
        base,
        [AuthEndpoints(accounts, sessions, factors, derivations, keys)],
        [base.database, keys, base.tokens, base.outbox, threads, sweep],
        threads={"bcrypt": threads},
    )


def makeService(options: Options) -> Lifecycle:
    """The service, for `twist`."""
    return make_service(options, "auth", build)
