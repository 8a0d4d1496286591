"""Files of no to four chunks, their damage, and what is kept with them."""

from collections.abc import Iterator
from typing import Any

from messenger.client.e2e.padding import padded_file_size
from tests.client.scenarios.cast import compact, key_of
from tests.client.scenarios.script import Script

CHUNK, STORED = 65_536, 65_552
SIZES = (0, 1, 1_024, 1_025, 65_536, 65_537, 131_072, 131_073, 196_608, 200_000, 262_144)


def stories() -> Iterator[Script]:
    yield sizes()
    yield damage()
    yield metadata()


def decrypt(key: str, size: int, *damage: tuple[str, Any], **other: Any) -> dict[str, Any]:
    found = {"key": key, "size": size, "damage": [list(one) for one in damage]}
    return {**found, "said_size": size, "sha256": None, "part": 1 << 20, **other}


def sizes() -> Script:
    s = Script("files", "Files of no bytes to four chunks, and the sizes that they are padded to.")
    for size in (0, 1_024, 1_025, 2_047, 10_000, 1_000_000, 2**30, 2**40 + 1, 2**47):
        s.do("file_size", size=size)
    for size in SIZES:
        made = s.do("encrypt_file", size=size, part=50_000)
        whole = {"sha256": made["sha256"]}
        s.do("decrypt_file", **decrypt(made["key"], size, **whole))
        s.do("decrypt_file", "in parts", **decrypt(made["key"], size, **whole, part=7_777))
    return s


def damage() -> Script:
    s = Script("damaged files", "What a blob is refused for that is not the file of its reference.")
    key = key_of("file")

    def refused(name: str, note: str, size: int, *how: tuple[str, Any], **other: Any) -> None:
        for part in (1 << 20, STORED):
            s.refused(name, "decrypt_file", note, **decrypt(key, size, *how, **{"part": part, **other}))

    stored = 2 + padded_file_size(5) + 16
    refused("UnsupportedVersion", "another version", 5, ("xor", [0, "03"]))
    refused("UnsupportedVersion", "another second byte", 5, ("xor", [1, "01"]))
    refused("FileTampered", "a byte of it", 5, ("xor", [2, "01"]))
    refused("FileTampered", "a byte of its padding", 5, ("xor", [500, "01"]))
    refused("FileTampered", "a byte of its tag", 5, ("xor", [-1, "01"]))
    refused("FileTruncated", "nothing", 5, ("take", 0))
    refused("FileTruncated", "a byte", 5, ("take", 1))
    refused("FileTruncated", "without its last byte", 5, ("take", stored - 1))
    refused("FileMismatch", "a byte too many", 5, ("then", "00"))
    refused("FileMismatch", "another hash", 5, sha256=key_of("hash"))
    refused("FileMismatch", "a file that is longer than its reference says", 5, said_size=4)
    s.do("decrypt_file", "what ends in zeros is cut", **decrypt(key, 1, said_size=0))
    s.do("decrypt_file", "and one that is shorter goes on in them", **decrypt(key, 5, said_size=9))
    refused("FileTruncated", "one of another padded size", 5, said_size=2_000)
    refused("FileMismatch", "one of another padded size, which is longer", 2_000, said_size=5)
    four = 250_000
    assert padded_file_size(four) > 3 * CHUNK
    refused("FileTampered", "a byte of the first chunk", four, ("xor", [2, "80"]))
    refused("FileTampered", "of the third", four, ("xor", [2 + 2 * STORED, "80"]))
    refused("FileTampered", "of the last", four, ("xor", [-1, "80"]))
    refused("FileTampered", "two in each other's place", four, ("pick", [1, 0, 2, 3]))
    refused("FileTampered", "one twice", four, ("pick", [0, 0, 2, 3]))
    refused("FileTampered", "the last one first", four, ("pick", [3, 0, 1, 2]))
    refused("FileTampered", "without the first", four, ("pick", [1, 2, 3]))
    refused("FileTruncated", "without the last", four, ("pick", [0, 1, 2]))
    refused("FileTruncated", "cut at a chunk's end", four, ("take", 2 + 2 * STORED))
    refused("FileTruncated", "cut within a chunk", four, ("take", 100_000))
    refused("FileMismatch", "a chunk too many", four, ("pick", [0, 1, 2, 3, 3]))
    refused("FileTampered", "cut, of a reference that says so", four, ("pick", [0, 1]), said_size=2 * CHUNK)
    refused("FileMismatch", "longer than the reference by less than its padding", four, said_size=four - 1)
    return s


def metadata() -> Script:
    s = Script("metadata", "Names of files and of conversations, sealed.")
    key = key_of("metadata")
    plan = compact({"name": "plan.pdf", "media_type": "application/pdf", "size": 5})
    file = s.do("seal_metadata", of="file", key=key, metadata=plan)
    s.do("open_metadata", of="file", key=key, sealed=file["sealed"])
    friends = compact({"name": "Freunde 🙂", "description": "where we meet"})
    group = s.do("seal_metadata", of="conversation", key=key, metadata=friends)
    s.do("open_metadata", of="conversation", key=key, sealed=group["sealed"])
    bare = s.do("seal_metadata", of="conversation", key=key, metadata=compact({"name": ""}))
    s.do("open_metadata", of="conversation", key=key, sealed=bare["sealed"])
    long = s.do("seal_metadata", of="conversation", key=key, metadata=compact({"name": "x" * 3_500}))
    s.do("open_metadata", of="conversation", key=key, sealed=long["sealed"])
    too_long = {"of": "conversation", "key": key, "metadata": compact({"name": "x" * 4_096})}
    s.refused("PayloadTooLarge", "seal_metadata", **too_long)

    def refused(name: str, note: str, of: str = "file", **how: Any) -> None:
        arguments = {"of": of, "key": key, "sealed": {"bytes": file["sealed"], **how}}
        s.refused(name, "open_metadata", note, **arguments)

    refused("UnsupportedVersion", "version 2", put=[0, "02"])
    refused("UnsupportedVersion", "nothing", take=0)
    refused("Malformed", "cut short", take=28)
    refused("AuthenticationFailed", "cut", take=100)
    refused("AuthenticationFailed", "another nonce", xor=[1, "01"])
    refused("AuthenticationFailed", "another byte", xor=[40, "01"])
    refused("AuthenticationFailed", "as a conversation's", of="conversation")
    other = {"of": "file", "key": key_of("another"), "sealed": file["sealed"]}
    s.refused("AuthenticationFailed", "open_metadata", "another key", **other)
    return s
