"""which devices have run out of one-time prekeys, for the message service to tell them when they connect"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add a view; a device that never published one-time prekeys is not in it."""
    op.execute(
        """
        create view key.exhausted_devices as
            select d.device_id from key.devices d
            where d.highest_one_time_id is not null
                and not exists (select from key.one_time_prekeys o where o.device_id = d.device_id);
        grant select on key.exhausted_devices to messenger_message;
        """
    )
