"""The file service: encrypted blobs, streamed to and from S3, with their rows in PostgreSQL."""

from secrets import token_hex

from prometheus_client import CollectorRegistry

from messenger.core.blobs import Blobs
from messenger.core.config import trusted_networks
from messenger.core.http import BodyLost, Fairness, HttpMetrics, HttpServer, Router, SystemEndpoints
from messenger.core.ids import new_id
from messenger.core.lifecycle import Lifecycle
from messenger.core.metrics import ServiceMetrics
from messenger.core.periodic import Periodic
from messenger.core.schemas import newest
from messenger.core.service import Built, Context, ServiceOptions, common, make_service, route_limits
from messenger.core.threads import Threads
from messenger.core.work import Work
from messenger.files.domain import MAX_CONVERSATIONS, Files
from messenger.files.http import FileEndpoints
from messenger.files.model import Bounds
from messenger.files.resumable.domain import Uploads
from messenger.files.resumable.http import UploadEndpoints
from messenger.files.resumable.store import UploadStore
from messenger.files.store import FileStore
from messenger.wire.errors import Problem
from messenger.wire.events import REMOVE_USER, UserRemoval


class Options(ServiceOptions):
    """The command line of `twist messenger-file`."""

    service = "file"
    synopsis = "[options]"
    longdesc = (
        "Stores and serves encrypted files. Needs PostgreSQL, NATS and an S3 (MinIO, SeaweedFS), "
        "as [database], [nats], [s3] and [file] of the configuration say."
    )


def build(context: Context) -> Built:
    """What the service consists of."""
    reactor, settings = context.reactor, context.settings
    shared = common(context, "file", settings.file.database_password, newest("file"))
    threads = Threads(reactor, "s3", settings.file.threads, settings.file.queue)
    blobs = Blobs(reactor, settings.s3, threads, context.floor)
    bounds = Bounds(
        size=settings.file.size,
        quota=settings.file.quota,
        files=settings.file.files,
        unshared=settings.file.unshared,
        abandoned=settings.file.abandoned,
        resumable=settings.file.resumable,
    )
    store = FileStore(shared.database, bounds, MAX_CONVERSATIONS)
    files = Files(store, blobs, reactor, bounds, new_id=new_id, new_key=lambda: token_hex(16))
    uploads = Uploads(
        UploadStore(shared.database, store, bounds),
        blobs,
        reactor,
        bounds,
        breaks=(BodyLost, Problem),
        new_id=new_id,
        new_key=lambda: token_hex(16),
    )
    registry = CollectorRegistry()
    ServiceMetrics(registry, shared.database, context.bus, shared.outbox, {"s3": threads}, [blobs.room])
    system = SystemEndpoints(
        reactor,
        {"postgresql": shared.database.check, "nats": context.bus.check, "s3": blobs.check},
        registry,
        lambda: shared.database.schemas,
    )
    admission = route_limits(context, "file", registry)
    router = Router(
        [system, FileEndpoints(files), UploadEndpoints(uploads)],
        authenticator=shared.tokens,
        admission=admission,
        body_limit=settings.http.body,
        stream_limit=settings.file.size,
        fairness=Fairness(reactor),
    )

    server = HttpServer(
        reactor,
        "file",
        settings.file.listen,
        router,
        setting="[file] listen",
        draining=system.drain,
        metrics=HttpMetrics(registry),
        trusted_proxies=trusted_networks(settings.file.trusted_proxies, "file"),
        spans=context.spans,
    )

    async def remove_user(_work: UserRemoval) -> None:
        await files.drop_ownerless()

    removals = Work(
        reactor,
        context.bus,
        "file-remove-user",
        REMOVE_USER,
        UserRemoval,
        remove_user,
        files.drop_ownerless,
    )
    sweep = Periodic(reactor, settings.file.sweep, "the sweep", files.sweep)
    return Built("file", [*shared.parts, threads, blobs, removals, sweep, server], router, system.check)


def makeService(options: Options) -> Lifecycle:
    """The service for `twist messenger-file`."""
    return make_service(options, "file", build)
