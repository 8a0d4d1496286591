"""what devices are called, for the key service to show a user's own waiting devices by name

Apart from `auth.live_devices`, which more services read: a name is what its user wrote, and is nobody else's.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a view."""
    op.execute(
        """
        create view auth.device_names as select device_id, device_name from auth.devices;
        grant select on auth.device_names to messenger_key;
        """
    )
