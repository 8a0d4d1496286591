"""What each verb of the scenarios does; the file bears it, too. Names of members are those of the steps."""

TEXT = """
# keys of a device
device: New keys for a device, which later steps call `device`. Draws identity seed, signed prekey.
new_signed_prekey: The signed prekey is replaced. Draws its private key.
signed_prekey_due: Whether it is time for that.
one_time_prekeys: `count` new ones. Draws a private key for each.
kem_prekeys: `count` new ones, then a last-resort one if asked for. Draws a seed of 64 bytes (d, z) for
  each.
# pairwise sessions
start: A session is begun by a bundle and becomes the active one. Draws ephemeral key, then ML-KEM's 32
  bytes m.
seal: The payload (JSON text, encrypted as it stands) in the active session. The first one draws a ratchet
  key.
seal_often: The same payload sealed `times` times; SHA-256 of all the envelopes joined.
open: An envelope from `peer`, of which the server said `said`. Draws a ratchet key where the ratchet turns.
  `missed`: message keys that were skipped and are kept; `session_id`: the active one after it.
sessions: The sessions with `peer`, the active one first, and whether a bundle has to be asked for.
may_repair: Whether what can't be decrypted may begin a session now; if so it counts as begun.
renew: The profile was restored: the sessions that stand are not written in.
# sender keys, messages again
chain: A new chain. Draws chain_id (16), chain key, seed of the signing key.
distribute: What a device is given of it now: a `sender_key` body in hex.
chain_given: With `give` these devices have it now; whether it must be made anew for them, and who lacks it.
group_seal: The payload (JSON text) as the next content of the chain.
group_lose: So many messages are sealed that nobody gets.
take_chain: A device is given the chain of another one (`of`) in `payload`; `member`: that is in the roster.
group_open: Content from `of`, of which the server said `said`.
sent: A message of one's own is remembered as `name`, with the devices that it was for.
send_again: What a `resent` body bears when this device asks for it in this conversation.
ask_again: Whether a message at the place `seq` that can't be decrypted is asked for (again).
asked: Places that are lost by now, and those that are still asked for.
answered: A payload that came in a session, with a `resent` body: the payload in it, and its place.
# account keys and lists
account: A new account key. Draws its seed.
sign_list: A device list.
learn: The server gives out a list (or null) and lists devices (`items`): what is told, and what is known
  then. `policy`: what is done with another key of a user who was not verified.
name_list: A payload of the user's bears this list_version. `behind`: nothing is sent by the list that is
  known.
pin: The account key is known by a contact link.
accept: The user accepts this account key.
verify: The user has compared the account key, or takes that back.
check_bundle: Whether a session may be begun by a bundle.
listed: The identity key of a device that is encrypted to.
wrote: Whether a message of this device counts that bears `list_version`; `content`: it is a text or a file,
  in a session or chain that stood.
safety_number: Of two users.
own_conversation: The `client_id` of a user's own conversation.
link: A contact link.
read_link: What a link says, and whether this user with this account key is meant.
show_code: A new device's code. Draws its secret (10).
match_code: Which of the devices that wait shows it.
grant: What that device is sent.
take_grant: What it makes of that, by the code that it showed last.
judge_kdf: Whether a password is derived in this way; `known` is what was used before.
# rosters and order
roster: The digest of a roster.
begin_roster: `at` (who keeps it) goes on with this roster from the place `seq`.
take_roster: `sender` hands a whole roster over; `own`: it is another device of one's own, `away`: one is not
  in the roster that stands.
make_change: The `roster_change` that does this to the roster that stands.
take_change: A change by `author` at the place `seq`. `counts`: yes, no (passed over), or instead of
  another.
judge_roster: How another's roster, by version and digest, stands to the one here.
roster_at: The version that stood at a place.
change_again: An own change came second, after so many tries: the change that does what is left of it, or
  null.
seen: What is said of these places: seq, device_id, client_id.
compare_seen: Whether the message at `seq` speaks of another history than these places.
expect_number: What a `sender_key` or `start` named; `of` is the sender's device in a conversation.
number: A message with this number; `waiting`: others of it are asked for. `told`: how many are told as
  missing.
excuse_number: One of it can't come any more, and that was told.
questions_ended: None of it is asked for any more: the runs that are told now.
# payloads
pad: The padded form.
unpad: The payload without its padding.
payload: A payload's members that are known, without those that say nothing; the body as it is.
body: A body's members that are known, without optional ones that say nothing; of an unknown type the type.
# files: each byte of a file is its place modulo 251
file_size: What a file of this size is padded to.
encrypt_file: A file of this size. Draws its key. `begins` and `ends` are 64 bytes of the blob each.
decrypt_file: A file of `size`, `damage` done to its blob, read by a reference with `said_size` and `sha256`
  (null: the damaged blob's). Damage: `xor` [place, bytes], `take` the first bytes, `then` more bytes,
  `pick` these chunks.
seal_metadata: Of a file or a conversation, as JSON text. Draws the nonce.
open_metadata: What was sealed.
"""


def _verbs() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in TEXT.splitlines():
        name, colon, about = line.partition(": ")
        if line.startswith("  "):
            last = next(reversed(found))
            found[last] += " " + line.strip()
        elif colon and not line.startswith("#"):
            found[name] = about
    return found


VERBS = _verbs()
