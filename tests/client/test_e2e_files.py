"""Files: any size comes back, and whatever is done to a blob shows."""

import hashlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messenger.client.e2e import FileDecryptor, FileEncryptor, FileReference, errors, stored_size
from messenger.client.e2e.files import CHUNK, HEAD
from messenger.client.e2e.padding import padded_file_size
from tests.client.e2e_world import fixed_random

STORED = CHUNK + 16


def encrypted(data: bytes, step: int = 100_000) -> tuple[bytes, FileReference]:
    encryptor = FileEncryptor(random=fixed_random(1))
    parts = [encryptor.update(data[start : start + step]) for start in range(0, len(data), step)]
    blob = b"".join([*parts, *encryptor.finish()])
    return blob, encryptor.reference("f", "name", "text/plain")


def decrypted(blob: bytes, reference: FileReference, step: int = 100_000) -> bytes:
    decryptor = FileDecryptor(reference)
    parts = [decryptor.update(blob[start : start + step]) for start in range(0, len(blob), step)]
    return b"".join([*parts, decryptor.finish()])


def truthful(blob: bytes, reference: FileReference) -> FileReference:
    """A reference with the hash of a changed blob: then the chunks alone have to show the change."""
    members = {name: getattr(reference, name) for name in reference.__struct_fields__}
    return FileReference(**{**members, "sha256": hashlib.sha256(blob).digest()})


EDGES = (0, 1, 1023, 1024, 1025, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 200_000)


@pytest.mark.parametrize("size", EDGES)
def test_every_size_comes_back(size: int) -> None:
    data = fixed_random(2)(size)
    blob, reference = encrypted(data)
    assert len(blob) == stored_size(size)
    assert reference.sha256 == hashlib.sha256(blob).digest()
    assert decrypted(blob, reference) == data


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 300_000), st.integers(1, 150_000), st.integers(1, 150_000))
def test_parts_of_any_size_make_the_same_blob(size: int, written: int, read: int) -> None:
    data = fixed_random(3)(size)
    blob, reference = encrypted(data, max(written, size // 50 + 1))
    assert blob == encrypted(data)[0]
    assert decrypted(blob, reference, max(read, size // 50 + 1)) == data


def test_each_change_is_named() -> None:
    data = fixed_random(4)(3 * CHUNK + 5)
    blob, reference = encrypted(data)
    chunks = [blob[start : start + STORED] for start in range(len(HEAD), len(blob), STORED)]
    assert len(chunks) == 4

    def joined(*order: int) -> bytes:
        return HEAD + b"".join(chunks[index] for index in order)

    for number in range(4):
        changed = bytearray(blob)
        changed[len(HEAD) + number * STORED + 7] ^= 1
        with pytest.raises(errors.FileTampered) as caught:
            decrypted(bytes(changed), truthful(bytes(changed), reference))
        assert caught.value.chunk == number
    for order, error in (
        ((1, 0, 2, 3), errors.FileTampered),
        ((0, 0, 2, 3), errors.FileTampered),
        ((0, 2, 1, 3), errors.FileTampered),
        ((0, 1, 2), errors.FileTruncated),
        ((0, 1, 3), errors.FileTruncated),
        ((0, 1, 2, 2, 3), errors.FileMismatch),
    ):
        other = joined(*order)
        with pytest.raises(error):
            decrypted(other, truthful(other, reference))
    with pytest.raises(errors.FileTruncated):
        decrypted(blob[:-1], reference)
    with pytest.raises(errors.FileMismatch):
        decrypted(blob + b"\0", reference)
    with pytest.raises(errors.UnsupportedVersion):
        decrypted(b"\x02" + blob[1:], reference)
    with pytest.raises(errors.FileMismatch):
        decrypted(blob, truthful(b"another", reference))
    with pytest.raises(errors.FileTampered):
        decrypted(encrypted(data[:-1] + b"!")[0], truthful(b"", encrypted_by_other_key(data)))


def encrypted_by_other_key(data: bytes) -> FileReference:
    encryptor = FileEncryptor(random=fixed_random(99))
    encryptor.update(data)
    list(encryptor.finish())
    return encryptor.reference("f", "name", "text/plain")


def test_a_last_chunk_can_not_become_an_inner_one() -> None:
    short, _reference = encrypted(bytes(CHUNK))
    assert len(short) == len(HEAD) + STORED
    longer = truthful(b"", encrypted(bytes(2 * CHUNK))[1])
    with pytest.raises(errors.FileTampered):
        decrypted(short + short[len(HEAD) :], longer)


def test_a_reference_that_says_too_little_is_refused() -> None:
    blob, reference = encrypted(b"x" * 1024)
    members = {name: getattr(reference, name) for name in reference.__struct_fields__}
    with pytest.raises(errors.FileMismatch):
        decrypted(blob, FileReference(**{**members, "size": 1000}))


def test_padding_adds_at_most_an_eighth_and_hides_nearby_sizes() -> None:
    sizes = [padded_file_size(size) for size in range(0, 3_000_000, 977)]
    for size, padded in zip(range(0, 3_000_000, 977), sizes, strict=True):
        assert size <= padded <= max(1024, size * 1.125)
    assert len(set(sizes)) < len(sizes) / 10


def test_memory_stays_constant() -> None:
    encryptor, piece = FileEncryptor(), bytes(1_000_000)
    digest = hashlib.sha256()
    tracemalloc.start()
    for _ in range(24):
        digest.update(encryptor.update(piece))
    for part in encryptor.finish():
        digest.update(part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert digest.digest() == encryptor.sha256
    assert peak < 6_000_000
