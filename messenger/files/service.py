"""The file service: encrypted blobs, streamed to and from S3, with their rows in PostgreSQL."""

from secrets import token_hex

from messenger.core.blobs import Blobs
from messenger.core.clock import clock_of
from messenger.core.http.content import BodyLost
from messenger.core.ids import new_id
from messenger.core.lifecycle import Lifecycle
from messenger.core.periodic import Periodic
from messenger.core.service import Built, Context, ServiceOptions, foundation, make_service, serve
from messenger.core.threads import Threads
from messenger.core.work import Work
from messenger.files.domain import MAX_CONVERSATIONS, Files
from messenger.files.http import FileEndpoints
from messenger.files.model import Bounds
from messenger.files.resumable.domain import Uploads
from messenger.files.resumable.http import UploadEndpoints
from messenger.files.resumable.store import UploadStore
from messenger.files.store.files import FileStore
from messenger.files.store.removal import RemovalStore
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
    """The file service, top to bottom."""
    reactor, settings = context.reactor, context.settings
    base = foundation(context, "file")
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
    file_store = FileStore(base.database, bounds, MAX_CONVERSATIONS)
    removal = RemovalStore(base.database, bounds)
    clock = clock_of(reactor)

    def new_key() -> str:
        return token_hex(16)

    files = Files(file_store, removal, blobs, clock, bounds, new_id=new_id, new_key=new_key)
    uploads = Uploads(
        UploadStore(base.database, bounds),
        file_store,
        removal,
        blobs,
        clock,
        bounds,
        breaks=(BodyLost, Problem),
        new_id=new_id,
        new_key=new_key,
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
    return serve(
        context,
        base,
        [FileEndpoints(files), UploadEndpoints(uploads)],
        [*base.parts, threads, blobs, removals, sweep],
        threads={"s3": threads},
        rooms=[blobs.room],
        checks={"s3": blobs.check},
        stream_limit=settings.file.size,
    )


def makeService(options: Options) -> Lifecycle:
    """The service, for `twist`."""
    return make_service(options, "file", build)
