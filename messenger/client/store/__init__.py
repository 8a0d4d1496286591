"""The local store: one directory, one account, one device, one writer.

`unlock.py` turns a passphrase or the system's keyring into the store's key, `lock.py` keeps a second process
out, `database.py` opens the encrypted SQLite file and brings it up to date (`schema.py`). The other modules
have the SQL, a table or two each: `account.py`, `states.py`, `conversations.py`, `messages.py`, `outbox.py`,
`journal.py`. All calls are synchronous; transactions are the caller's (engine/vault.py).
"""
