"""End-to-end encryption, without any I/O: what a hostile server can't read, change or refile unnoticed.

Bytes, times and randomness go in, bytes and named errors come out. State objects are written down by
`to_bytes`; what raises leaves them as they were. How it all works, so that another implementation
understands it, stands in docs/encryption.md; the order of reading here is primitives, envelope, payload,
prekeys, agreement, ratchet, sessions, groups, rosters, then trust, provisioning, files, resend, progress and
what was seen.
"""

from messenger.client.e2e.account import AccountKey, safety_number
from messenger.client.e2e.bodies import (
    AccountGrant,
    Body,
    Delete,
    Edit,
    FileBody,
    FileReference,
    Known,
    MetadataKey,
    ResendRequest,
    Resent,
    RosterBody,
    RosterChange,
    RosterRequest,
    SenderKey,
    Start,
    Text,
    Timer,
    Unknown,
    Verified,
)
from messenger.client.e2e.contacts import ContactCode, contact_link, read_contact_link
from messenger.client.e2e.envelope import begins_session, chain_id_of
from messenger.client.e2e.files import FileDecryptor, FileEncryptor, stored_size
from messenger.client.e2e.groups import ReceivedChains, SendingChain
from messenger.client.e2e.metadata import (
    ConversationMetadata,
    FileMetadata,
    open_conversation_metadata,
    open_file_metadata,
    seal_conversation_metadata,
    seal_file_metadata,
)
from messenger.client.e2e.padding import MAX_PAYLOAD
from messenger.client.e2e.payload import (
    Claimed,
    Payload,
    body_of,
    claimed,
    decode_payload,
    encode_payload,
    new_payload,
)
from messenger.client.e2e.prekeys import DeviceKeys
from messenger.client.e2e.progress import Gap, InOrder, Late, Progress, Verdict
from messenger.client.e2e.provisioning import DeviceCode, accept_grant, grant, match_code
from messenger.client.e2e.resend import RESEND_KEPT, RESEND_MESSAGES, ResendRequests, SentMessage
from messenger.client.e2e.roster import Entry, Roster
from messenger.client.e2e.rosters import Intent, Rosters
from messenger.client.e2e.sessions import Opened, PeerSessions
from messenger.client.e2e.trust import (
    AccountKeyHasChanged,
    AccountKeyPinned,
    DeviceAdded,
    DeviceRefused,
    DeviceRemoved,
    KnownDevice,
    KnownUser,
    ListRefused,
    Policy,
    TrustEvent,
)

__all__ = [
    "MAX_PAYLOAD",
    "RESEND_KEPT",
    "RESEND_MESSAGES",
    "AccountGrant",
    "AccountKey",
    "AccountKeyHasChanged",
    "AccountKeyPinned",
    "Body",
    "Claimed",
    "ContactCode",
    "ConversationMetadata",
    "Delete",
    "DeviceAdded",
    "DeviceCode",
    "DeviceKeys",
    "DeviceRefused",
    "DeviceRemoved",
    "Edit",
    "Entry",
    "FileBody",
    "FileDecryptor",
    "FileEncryptor",
    "FileMetadata",
    "FileReference",
    "Gap",
    "InOrder",
    "Intent",
    "Known",
    "KnownDevice",
    "KnownUser",
    "Late",
    "ListRefused",
    "MetadataKey",
    "Opened",
    "Payload",
    "PeerSessions",
    "Policy",
    "Progress",
    "ReceivedChains",
    "ResendRequest",
    "ResendRequests",
    "Resent",
    "Roster",
    "RosterBody",
    "RosterChange",
    "RosterRequest",
    "Rosters",
    "SenderKey",
    "SendingChain",
    "SentMessage",
    "Start",
    "Text",
    "Timer",
    "TrustEvent",
    "Unknown",
    "Verdict",
    "Verified",
    "accept_grant",
    "begins_session",
    "body_of",
    "chain_id_of",
    "claimed",
    "contact_link",
    "decode_payload",
    "encode_payload",
    "grant",
    "match_code",
    "new_payload",
    "open_conversation_metadata",
    "open_file_metadata",
    "read_contact_link",
    "safety_number",
    "seal_conversation_metadata",
    "seal_file_metadata",
    "stored_size",
]
