"""All that runs between the network and the store: receiving, sending, trust, keys.

Modules without `async` (receiving.py, sealing.py, changes.py) are the rules: they run in the vault's thread,
inside one transaction, and know no network. The others fetch what the rules will need and carry out what they
say.
"""
