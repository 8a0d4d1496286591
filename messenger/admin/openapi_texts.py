"""The purpose of each operation, in a few sentences, by operation id: OpenAPI's `description`.

Its first line, the summary, is the endpoint's own docstring. A test holds that every operation has one here
and that no other has.
"""

DESCRIPTIONS = {
    # auth
    "auth_register": (
        "Makes the account, a first device and its session. Where `registration` (see /api/v1/info) is "
        "`invite`, an invite has to be given; where it is `closed`, nobody registers. A username is 3 to "
        "32 of `a-z0-9._-`, begins with a letter, and is never given out again. Clients send what they "
        "derive of the password, and how in `kdf`."
    ),
    "auth_login": (
        "With `device_id`, one of the user's, the login goes on as that device, with its keys and places "
        "in conversations, and the device's older session ends. Without it a new device is made. Where a "
        "second factor is set up the answer is 401 `second_factor_required` with a `challenge`."
    ),
    "auth_second_factor": (
        "`code` is of the authenticator app, or a recovery code, which serves once. A challenge holds for "
        "5 minutes and 5 tries."
    ),
    "auth_refresh": (
        "A refresh token is good once. One that comes a second time ends the whole session, since "
        "somebody has a copy of it, unless its successor was not used yet and it was spent less than 30 "
        "seconds ago: then the same successor is answered again, for a client that lost the answer."
    ),
    "auth_logout": (
        "The session's access and refresh tokens are refused everywhere within 2 seconds, and its sockets "
        "close. The device and its keys stay, for a later login as it."
    ),
    "auth_me": ("Tells who the access token belongs to."),
    "auth_delete_me": (
        "The account, its devices, keys and files go, its messages stay without a sender, its direct "
        "conversations end, and its name is never given out again. It shows everywhere within 10 seconds. "
        "It can't be undone, so the password is asked for once more."
    ),
    "auth_change_password": (
        "All other sessions of the user end. Give `kdf` with a derived password; without it the password "
        "counts as a bare one."
    ),
    "auth_devices": (
        "Each login is a device, until it is removed or was not seen for 60 days. `current` marks the one "
        "that asks."
    ),
    "auth_remove_device": (
        "Its session ends at once, its sockets close, and nobody encrypts to it any more."
    ),
    "auth_kdf": (
        "What a client asks before it logs in: how to derive what it sends as `password`. A name that "
        "nobody has is answered too, with a salt that is always the same for it. A client refuses null, "
        "and parameters that are too weak."
    ),
    "auth_ticket": (
        "For clients that can't set headers on a WebSocket, browsers above all: open `/ws?ticket=TICKET` "
        "within 30 seconds. The socket lives as long as the access token that asked."
    ),
    "auth_enrol_totp": (
        "Begins to set up RFC 6238 codes. Nothing is asked for until `/auth/totp/confirm` was given a "
        "first code; asking again makes another secret."
    ),
    "auth_confirm_totp": (
        "From now on each login asks for a code. The recovery codes are shown once; each serves once "
        "wherever a code is asked for."
    ),
    "auth_remove_totp": (
        "The secret and the recovery codes are deleted. The password is asked for once more."
    ),
    "auth_validate": (
        "For other services and proxies (forward auth): 204 with `X-User-Id` and `X-Device-Id` for a good "
        "access token, else 401."
    ),
    "auth_keys": (
        "A JSON Web Key Set (RFC 7517). A new key is here before it signs, an old one until its last "
        "token has expired."
    ),
    "auth_users": ("For who knows a name and wants the id. Names are not searched by their beginnings."),
    "auth_lookup": ("At most 200 ids. Those that nobody has, or has any more, are left out of the answer."),
    "auth_user": ("Name and time of registration. A deleted user is not found."),
    # keys
    "key_set_identity": (
        "Its Ed25519 key, which signs its prekeys. The same key again is fine, another one is refused: "
        "who wants another makes another device."
    ),
    "key_set_signed_prekey": (
        "An X25519 key, signed by the identity key, which is verified. `key_id` exceeds all earlier ones. "
        "Replace it about once a week."
    ),
    "key_add_one_time_prekeys": (
        "1 to 100 X25519 keys, whose ids exceed all earlier ones; at most 200 are stored. Each is handed "
        "out once, whatever runs at the same time. A device that has fewer than 20 left is sent a "
        "`prekeys` frame."
    ),
    "key_add_kem_prekeys": (
        "For PQXDH (revision 3): encapsulation keys of 1,568 bytes, each signed by the identity key, and "
        "one of last resort, which is handed out when no other is left."
    ),
    "key_status": (
        "What is there and what is missing, for a client that wakes up: counts, and the highest key id "
        "that was ever used."
    ),
    "key_identities": (
        "Takes nothing from anybody, unlike a claim. `pending`, for oneself alone, are devices with an "
        "identity key that the user's signed list does not name yet."
    ),
    "key_claim": (
        "What is needed to begin encrypting to a device that is away. Ask for all devices of a user, or "
        "for some by id. Each bundle takes one one-time prekey for good, so claim once and keep what "
        "comes; when none is left the bundle comes without. The asking device and unpublished ones are "
        "left out."
    ),
    "key_set_list": (
        "Which devices are the user's, said by a key that the server has not. `version` exceeds the one "
        "that stands. Once there is a list, a device that it does not name is not published. Another "
        "account key than the one that stands needs a login less than 5 minutes old."
    ),
    "key_names": ("Names and versions, without contents."),
    "key_get": ("The answer's `ETag` is the version, for conditions."),
    "key_put": (
        "Small sealed things for the user's own devices; the server can't read them. `If-Match` with the "
        "version in quotes changes what has not changed meanwhile, `If-None-Match: *` makes what is not "
        "there yet; else 412."
    ),
    "key_delete": ("The version that stands may be asked for by `If-Match`."),
    # conversations and messages
    "message_create": (
        "`direct` has exactly one other member, is one for each pair of users, and its membership never "
        "changes. In a `group` the caller is the owner. With `client_id` a repeat of the call gives the "
        "conversation that the first one made. `metadata` is ciphertext: what a group is called is not "
        "for the server to know."
    ),
    "message_page": ("With what a list shows: roles, unread messages, the latest numbers."),
    "message_get": ("Who is no member, or no longer one, is told that there is none."),
    "message_update": (
        "For admins and owners, in a direct conversation for both. `message_ttl` holds for later "
        "messages: 1 to 31,536,000 seconds, null for ever."
    ),
    "message_changes": (
        "Made, renamed, who joined and left, roles, deleted messages, its end: numbered 1, 2, 3 ... "
        "without gaps, as messages are. A member sees those from its latest joining on."
    ),
    "message_devices": (
        "A message by envelopes names exactly these, less the sending one. `digest` is what a draft says "
        "as `devices_digest`, so that it is refused when a device has come or gone."
    ),
    "message_members": ("With how far each has been delivered to and has read."),
    "message_add": ("For admins. The newcomer's sight begins with the next message."),
    "message_set_role": (
        "Nobody gives a role equal to or above its own. `owner` is handed on by its holder, who is an "
        "admin then."
    ),
    "message_remove": (
        "Admins remove, everybody may leave. An owner who leaves hands the group to the longest-standing "
        "admin, else member; the last to leave ends it."
    ),
    "message_send": (
        "Answered once PostgreSQL has committed it. `content` is the same ciphertext for all, `envelopes` "
        "one for each device; at least one of the two. The same `client_id` from the same device is one "
        "message however often it is sent: so send again when no answer came."
    ),
    "message_history": (
        "`after=SEQ`, or `before=SEQ`, or neither for the latest. `next` leads on, away from where it "
        "began. `envelope` is the one for the asking device."
    ),
    "message_delete": (
        "For its sender, and in a group for admins. The content is gone from every answer at once; the "
        "number stays, so that there is no gap."
    ),
    "message_blocks": ("User ids. Nobody is told by whom it is blocked."),
    "message_block": (
        "While it stands neither writes in their direct conversation, nor changes it, nor uploads a file "
        "into it, and neither's typing, receipts or presence reach the other; who is blocked can't open "
        "one, nor add the blocker to a group."
    ),
    "message_unblock": (
        "The other one is not told. Fine also where no block stands; a block of theirs stays."
    ),
    "message_preferences": ("`groups` is `anyone` until it is said otherwise."),
    "message_put_preferences": (
        "`contacts`: only who has an open direct conversation with the asker, and neither blocks the other. "
        "`anyone`: everybody whom the asker does not block."
    ),
    "message_state": ("`vapid_key` is null where this server wakes nobody."),
    "message_subscribe": (
        "By Web Push (RFC 8030, 8291, 8292) or UnifiedPush. A wake-up has no content, and comes once "
        "until the device has been there. The endpoint has to be a public https address, or in a network "
        "that the server's administrator allows."
    ),
    "message_unsubscribe": ("It ends by itself with the device's session."),
    "message_websocket": (
        "Authenticated by `Authorization`, by the subprotocol `bearer.ACCESS_TOKEN`, or by `ticket`. The "
        "server sends `hello`, then all that the device has not acknowledged, then `synced`; live events "
        "follow. The frames are in the WebSocket reference."
    ),
    # files
    "file_upload": (
        "The body is the blob, encrypted by the client, streamed to the store with back-pressure. What "
        "ends early, or is not of its stated length, leaves no file. `X-Conversation-ID` says whose "
        "members may fetch it, `X-File-Metadata` is ciphertext in base64. Without a conversation it is "
        "its uploader's alone, and is removed after a day unless it is shared."
    ),
    "file_download": (
        "Streamed. Ranges and conditions are RFC 9110's: `Range`, `If-Range`, `If-None-Match`."
    ),
    "file_delete": ("For its uploader; another who may see it is refused."),
    "file_share": (
        "For its uploader, with a conversation that it is in: all its members may fetch the file then."
    ),
    "file_info": (
        "Size, SHA-256 of the stored blob, ciphertext metadata, and the conversations that hold it."
    ),
    "file_tus_options": ("Version, extensions and the largest size, in tus' headers."),
    "file_tus_upload_options": ("Version, extensions and the largest size, in tus' headers."),
    "file_create_upload": (
        "`Upload-Length` is the whole size, which is taken from the quota at once. `Location` in the "
        "answer is where to go on. `Upload-Metadata` has `conversation_id` and `metadata`, as tus writes "
        "them."
    ),
    "file_upload_progress": ("Ask after a broken connection, and go on from `Upload-Offset`."),
    "file_append_to_upload": (
        "From `Upload-Offset` on, with `Content-Type: application/offset+octet-stream`. What has arrived "
        "stays when the connection breaks. `Upload-Checksum` (sha256) is verified."
    ),
    "file_end_upload": ("What has arrived is removed, and the quota is given back."),
    "file_overridden": ("`X-HTTP-Method-Override` says which."),
    # gateway
    "gateway_about": (
        "For people who look at the server itself. At `/` is the web client, or this page where it is not "
        "served."
    ),
    "gateway_info": (
        "Ask once at the start. `limits` has sizes in bytes, times in seconds and counts, by the names of "
        "the settings."
    ),
    "gateway_openapi": ("This document, made from the code that serves it."),
    "gateway_health": ("For whoever restarts what has died; it says nothing of the services."),
    "gateway_ready": ("For load balancers: 200 when every service is ready, else 503 with each one's state."),
}
