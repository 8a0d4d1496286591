"""All that travels: requests, answers, frames, events and error codes, shared by services and clients.

Structs are msgspec's: types, bounds and decoding stand in one place. This room imports the standard library
and msgspec, nothing of ours.
"""
