"""`twist messenger-key`: identity keys, prekeys and bundles."""

from messenger.core.clock import clock_of
from messenger.core.lifecycle import Lifecycle
from messenger.core.periodic import Periodic
from messenger.core.service import Built, Context, ServiceOptions, foundation, make_service, serve
from messenger.core.work import Work
from messenger.keys.departures import Departures
from messenger.keys.domain import Keys
from messenger.keys.http import KeyEndpoints
from messenger.keys.store.claims import ClaimStore
from messenger.keys.store.device_lists import DeviceListStore
from messenger.keys.store.keys import KeyStore
from messenger.keys.store.removal import RemovalStore
from messenger.keys.vault.domain import Vault
from messenger.keys.vault.http import VaultEndpoints
from messenger.keys.vault.store import VaultStore
from messenger.wire.events import REMOVE_USER, UserRemoval

SWEEP_SECONDS = 3600.0
CLAIMS_SECONDS = 60.0


class Options(ServiceOptions):
    """The command line of `twist messenger-key`."""

    service = "key"
    synopsis = "[options]"
    longdesc = (
        "Keeps the public keys that end-to-end encryption starts from, and hands out each one-time prekey "
        "once. Needs PostgreSQL (schema key, made by `messenger-admin migrate`) and NATS; listens where "
        "[key] listen says, for the gateway. Settings: --config FILE, or MESSENGER_CONFIG, with "
        "MESSENGER_SECTION__KEY in the environment on top; [key] database_password is a must."
    )


def build(context: Context) -> Built:
    """The key service, top to bottom."""
    reactor, settings = context.reactor, context.settings.key
    base = foundation(context, "key")
    claim_store = ClaimStore(base.database)
    keys = Keys(
        KeyStore(base.database),
        DeviceListStore(base.database),
        claim_store,
        clock_of(reactor),
        base.outbox.publish,
        stored=settings.one_time_prekeys,
        low=settings.low_prekeys,
        by_asker=settings.claims_by_asker,
        of_device=settings.claims_of_device,
    )
    removal = RemovalStore(base.database)
    Departures(context.bus, removal.forget_devices)
    work = Work(
        reactor,
        context.bus,
        "key-remove-user",
        REMOVE_USER,
        UserRemoval,
        removal.forget_user,
        removal.forget_deleted,
    )
    sweep = Periodic(reactor, SWEEP_SECONDS, "removal of departed devices' keys", removal.sweep)
    claims = Periodic(reactor, CLAIMS_SECONDS, "removal of old claims", claim_store.forget_old)
    endpoints = [KeyEndpoints(keys), VaultEndpoints(Vault(VaultStore(base.database)))]
    return serve(context, base, endpoints, [*base.parts, work, sweep, claims])


def makeService(options: Options) -> Lifecycle:
    """The service, for `twist`."""
    return make_service(options, "key", build)
