"""how users' passwords are derived

Only adds, so that the code before it goes on working. That code keeps no `kdf`, though: a password that is
changed through an instance of it would keep the old one. Clients ask for it at instances of this code only.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        -- The wire's `kdf` object, in JSON (messenger/wire/auth.py); null: the password is sent bare.
        alter table auth.users add column kdf text;
        """
    )
