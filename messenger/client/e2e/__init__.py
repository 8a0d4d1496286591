"""End-to-end encryption, without any I/O: what a hostile server can't read, change or refile unnoticed.

Bytes, times and randomness go in, bytes and named errors come out. State objects are written down by
`to_bytes`; what raises leaves them as they were. How it all works, so that another implementation
understands it, stands in docs/encryption.md; the order of reading here is primitives, envelope, payload,
prekeys, agreement, ratchet, sessions, groups, then trust, provisioning, files, resend and progress.
"""

from messenger.client.e2e.account import AccountKey, certificate_holds, safety_number
from messenger.client.e2e.bodies import (
    AccountGrant,
    Body,
    FileBody,
    FileReference,
    Known,
    MetadataKey,
    ResendRequest,
    Resent,
    SenderKey,
    Text,
    Unknown,
    Verified,
)
from messenger.client.e2e.envelope import chain_id_of
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
from messenger.client.e2e.sessions import Opened, PeerSessions
from messenger.client.e2e.trust import (
    AccountKeyHasChanged,
    AccountKeyPinned,
    DeviceAdded,
    DeviceRefused,
    DeviceRemoved,
    KnownDevice,
    KnownUser,
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
    "ConversationMetadata",
    "DeviceAdded",
    "DeviceCode",
    "DeviceKeys",
    "DeviceRefused",
    "DeviceRemoved",
    "FileBody",
    "FileDecryptor",
    "FileEncryptor",
    "FileMetadata",
    "FileReference",
    "Gap",
    "InOrder",
    "Known",
    "KnownDevice",
    "KnownUser",
    "Late",
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
    "SenderKey",
    "SendingChain",
    "SentMessage",
    "Text",
    "TrustEvent",
    "Unknown",
    "Verdict",
    "Verified",
    "accept_grant",
    "body_of",
    "certificate_holds",
    "chain_id_of",
    "claimed",
    "decode_payload",
    "encode_payload",
    "grant",
    "match_code",
    "new_payload",
    "open_conversation_metadata",
    "open_file_metadata",
    "safety_number",
    "seal_conversation_metadata",
    "seal_file_metadata",
    "stored_size",
]
