"""Which rows of each table go into a backup, and what becomes of the rest at a restore.

A restored server starts without anything that was only for a moment, and without anything that must not be
used twice. A new table has to be named here; a test compares this with the migrations.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """A table of which the rows that `where` says go into a backup."""

    name: str
    where: str = "true"


# In an order in which none refers to a later one.
KEPT = (
    Kept("auth.users"),
    Kept("auth.devices"),
    Kept("auth.invites"),
    Kept("auth.factors"),
    Kept("auth.recovery_codes"),
    Kept("auth.audit"),
    # What refresh tokens are made with goes with the sessions.
    Kept("auth.secrets", "name <> 'refresh'"),
    # The highest key ids are in here: none is used again.
    Kept("key.devices"),
    Kept("key.lists"),
    Kept("key.listed_devices"),
    Kept("key.vault"),
    # Meant to be given out again and again.
    Kept("key.last_resort_prekeys"),
    Kept("message.conversations"),
    Kept("message.members"),
    Kept("message.messages"),
    Kept("message.changes"),
    Kept("message.places"),
    Kept("message.blocks"),
    Kept("message.preferences"),
    # Uploads that are under way are begun anew.
    Kept("file.files", "state = 'stored'"),
    Kept(
        "file.shares",
        "exists (select from file.files f where f.file_id = shares.file_id and f.state = 'stored')",
    ),
)

LEFT = {
    "auth.sessions": "they end: who stole a token before the restore has nothing",
    "auth.signing_keys": "new ones are made, so that no access token from before is good",
    "auth.tickets": "they last half a minute",
    "auth.challenges": "they last five minutes",
    "auth.outbox": "instances that start read the database",
    "key.one_time_prekeys": "they may have been handed out since: no one-time prekey is given twice",
    "key.kem_prekeys": "the same",
    "key.claims": "they count one hour's claims of prekeys that are gone",
    "key.accounts": "signed device lists have taken its place; a version before them wrote it",
    "key.outbox": "instances that start read the database",
    "message.outbox": "instances that start read the database",
    "message.instances": "none of them runs",
    "message.presence": "nobody is there",
    "message.blocked_by": "it is filled by the blocks that are restored",
    "message.push": "they go with their sessions; a device that logs in asks to be woken again",
    "file.segments": "they belong to uploads that are under way",
    "file.usage": "it is counted afresh",
    "file.removals": "the new bucket has nothing that has to go",
    "file.outbox": "instances that start read the database",
}
