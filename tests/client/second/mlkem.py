"""ML-KEM-1024's encapsulation with its randomness given: FIPS 203, algorithms 14 (K-PKE.Encrypt) and 17.

The library draws the 32 bytes itself. Vectors have to say them, so both sides of the scenarios encapsulate by
this; what it makes is opened by the library. It is neither fast nor in constant time.
"""

import hashlib

Q, N, K, ETA, DU, DV = 3329, 256, 4, 2, 11, 5
PUBLIC_BYTES = 384 * K + 32

Poly = list[int]


def _reversed_bits(number: int) -> int:
    return int(f"{number:07b}"[::-1], 2)


ZETAS = [pow(17, _reversed_bits(index), Q) for index in range(128)]
GAMMAS = [pow(17, 2 * _reversed_bits(index) + 1, Q) for index in range(128)]


def encapsulate(public: bytes, m: bytes) -> tuple[bytes, bytes]:
    """The shared secret and the ciphertext for a public key and 32 random bytes. ValueError for no key."""
    secret = hashlib.sha3_512(m + hashlib.sha3_256(public).digest()).digest()
    return secret[:32], _encrypt(public, m, secret[32:])


def _encrypt(public: bytes, m: bytes, r: bytes) -> bytes:
    t = [_decoded(public[384 * i : 384 * (i + 1)], 12) for i in range(K)]
    if len(public) != PUBLIC_BYTES or any(value >= Q for poly in t for value in poly):
        raise ValueError("no ML-KEM-1024 public key")
    rho = public[-32:]
    y = [_ntt(_small(r, i)) for i in range(K)]
    e1 = [_small(r, K + i) for i in range(K)]
    e2 = _small(r, 2 * K)
    ciphertext = b""
    for i in range(K):
        # the transposed matrix: A[j][i]
        row = _inverse(_dot([_uniform(rho, i, j) for j in range(K)], y))
        ciphertext += _encoded(_compressed(_sum(row, e1[i]), DU), DU)
    message = [bit * ((Q + 1) // 2) for bit in _decoded(m, 1)]
    v = _sum(_sum(_inverse(_dot(t, y)), e2), message)
    return ciphertext + _encoded(_compressed(v, DV), DV)


def _uniform(rho: bytes, column: int, row: int) -> Poly:
    """SampleNTT (algorithm 7) for one place of the matrix."""
    stream = hashlib.shake_128(rho + bytes((column, row))).digest(1344)
    found: Poly = []
    for at in range(0, len(stream), 3):
        b0, b1, b2 = stream[at : at + 3]
        for value in (b0 | (b1 & 0x0F) << 8, b1 >> 4 | b2 << 4):
            if value < Q:
                found.append(value)
    return found[:N]


def _small(r: bytes, nonce: int) -> Poly:
    """SamplePolyCBD of PRF(r, nonce), eta 2."""
    bits = int.from_bytes(hashlib.shake_256(r + bytes((nonce,))).digest(64 * ETA), "little")
    found = []
    for index in range(N):
        four = bits >> 4 * index & 15
        found.append(((four & 1) + (four >> 1 & 1) - (four >> 2 & 1) - (four >> 3)) % Q)
    return found


def _ntt(poly: Poly) -> Poly:
    f, index, length = list(poly), 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            zeta, index = ZETAS[index], index + 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
        length //= 2
    return f


def _inverse(poly: Poly) -> Poly:
    f, index, length = list(poly), 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            zeta, index = ZETAS[index], index - 1
            for j in range(start, start + length):
                t = f[j]
                f[j] = (t + f[j + length]) % Q
                f[j + length] = zeta * (f[j + length] - t) % Q
        length *= 2
    return [value * 3303 % Q for value in f]


def _dot(left: list[Poly], right: list[Poly]) -> Poly:
    found = [0] * N
    for a, b in zip(left, right, strict=True):
        for i in range(128):
            a0, a1, b0, b1 = a[2 * i], a[2 * i + 1], b[2 * i], b[2 * i + 1]
            found[2 * i] += a0 * b0 + a1 * b1 % Q * GAMMAS[i]
            found[2 * i + 1] += a0 * b1 + a1 * b0
    return [value % Q for value in found]


def _sum(left: Poly, right: Poly) -> Poly:
    return [(a + b) % Q for a, b in zip(left, right, strict=True)]


def _compressed(poly: Poly, bits: int) -> Poly:
    return [((value << bits + 1) + Q) // (2 * Q) % (1 << bits) for value in poly]


def _encoded(poly: Poly, bits: int) -> bytes:
    whole = sum(value << bits * index for index, value in enumerate(poly))
    return whole.to_bytes(32 * bits, "little")


def _decoded(raw: bytes, bits: int) -> Poly:
    whole, mask = int.from_bytes(raw, "little"), (1 << bits) - 1
    return [whole >> bits * index & mask for index in range(N)]
