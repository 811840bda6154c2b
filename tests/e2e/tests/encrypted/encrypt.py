"""An issuer that encrypts, with libraries that we did not write: Python's cryptography, and jwcrypto.

encrypt.py < jobs: a JSON list of objects; their results as a JSON list.

{"make": "keys"}: a JSON Web Key Set with a private key of each kind.
{"make": "identifier", "algorithm", "key", "nonce", "aad", "text"}: hex of nonce, ciphertext and tag; bytes are given in hex.
{"make": "token", "header", "key", "content"}: a JWE in compact form, encrypted to a key of the set.
"""
import json
import struct
import sys

from cryptography.hazmat.primitives import hashes, hmac, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from jwcrypto import jwe, jwk


def cbc(key, nonce, text):
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(nonce)).encryptor()
    return encryptor.update(padder.update(text) + padder.finalize()) + encryptor.finalize()


def cbc_hmac(key, nonce, text, aad, tag_bytes):
    half = len(key) // 2
    ciphertext = cbc(key[half:], nonce, text)
    mac = hmac.HMAC(key[:half], hashes.SHA256())
    mac.update(aad + nonce + ciphertext + struct.pack(">Q", len(aad) * 8))
    return ciphertext + mac.finalize()[:tag_bytes]


def hchacha20(key, nonce):
    """draft-irtf-cfrg-xchacha-03 section 2.2: what makes ChaCha20-Poly1305, which the library has, XChaCha20-Poly1305."""
    state = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))

    def rotate(value, bits):
        return (value << bits | value >> (32 - bits)) & 0xFFFFFFFF

    def quarter(a, b, c, d):
        for one, other, changed, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[one] = (state[one] + state[other]) & 0xFFFFFFFF
            state[changed] = rotate(state[changed] ^ state[one], bits)

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for column in range(4):
            quarter(column, (column + 1) % 4 + 4, (column + 2) % 4 + 8, (column + 3) % 4 + 12)
    return struct.pack("<8I", *state[:4], *state[12:])


def identifier(algorithm, key, nonce, aad, text):
    key, nonce, aad, text = bytes.fromhex(key), bytes.fromhex(nonce), bytes.fromhex(aad), bytes.fromhex(text)
    sealed = {
        "A128GCM": lambda: AESGCM(key).encrypt(nonce, text, aad),
        "A256GCM": lambda: AESGCM(key).encrypt(nonce, text, aad),
        "XC20P": lambda: ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], text, aad),
        "A128CBC-HS256": lambda: cbc_hmac(key, nonce, text, aad, 16),
        "A256CBC-HS256": lambda: cbc_hmac(key, nonce, text, aad, 32),
        "A128CBC": lambda: cbc(key, nonce, text),
        "A256CBC": lambda: cbc(key, nonce, text),
    }[algorithm]()
    return (nonce + sealed).hex()


def keys():
    kinds = {
        "rsa": {"kty": "RSA", "size": 2048},
        "ec": {"kty": "EC", "crv": "P-256"},
        "short": {"kty": "oct", "size": 128},
        "long": {"kty": "oct", "size": 256},
    }
    made = [jwk.JWK.generate(kid=name, use="enc", **kind) for name, kind in kinds.items()]
    return {"keys": [json.loads(key.export()) for key in made]}


def token(header, key, content):
    # Also what nobody should use any more.
    allowed = jwe.default_allowed_algs + [header["alg"], header["enc"]]
    made = jwe.JWE(content.encode(), json.dumps(header), algs=allowed)
    made.add_recipient(jwk.JWK(**key))
    return made.serialize(compact=True)


MAKERS = {"identifier": identifier, "keys": keys, "token": token}
json.dump([MAKERS[job.pop("make")](**job) for job in json.load(sys.stdin)], sys.stdout)
