"""Keys and tokens of a run: made here, kept beside the results, and made again when they are about to expire."""

import base64
import hmac
import json
import os
import time
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://issuer.example.com"
AUDIENCE = "orders"
LIFETIME_S = 24 * 3600
# Tokens that were made before are used again only when a run can end in time.
MARGIN_S = 2 * 3600


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length):
    return base64url(value.to_bytes(length, "big"))


class Rs256:
    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)

    def jwk(self):
        public = self.key.public_key().public_numbers()
        return {"kty": "RSA", "n": number(public.n, 256), "e": number(public.e, 3)}

    def sign(self, message):
        return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())


class Es256:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())

    def jwk(self):
        public = self.key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": number(public.x, 32), "y": number(public.y, 32)}

    def sign(self, message):
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Hs256:
    def __init__(self):
        self.key = os.urandom(32)

    def jwk(self):
        return {"kty": "oct", "k": base64url(self.key)}

    def sign(self, message):
        return hmac.digest(self.key, message, "sha256")


SIGNERS = {"RS256": Rs256, "ES256": Es256, "HS256": Hs256}


def claims(now):
    """What an authorization server of today puts into an access token."""
    return {
        "iss": ISSUER,
        "sub": str(uuid.uuid4()),
        "aud": [AUDIENCE],
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME_S,
        "jti": str(uuid.uuid4()),
        "azp": "web-shop",
        "tenant": "blue",
        "scope": "openid profile orders.read orders.write",
        "roles": ["CUSTOMER", "RESTAURANT"],
        "preferred_username": "anna",
        "email": "anna@example.com",
    }


class Tokens:
    """The key set and the tokens of one algorithm."""

    def __init__(self, folder, algorithm, count):
        self.file = folder / f"{algorithm}.tokens"
        self.about = folder / f"{algorithm}.json"
        self.algorithm, self.count = algorithm, count
        self.jwks = self.kept() or self.make()

    def kept(self):
        try:
            about = json.loads(self.about.read_text())
        except (OSError, ValueError):
            return None
        fresh = about["count"] == self.count and about["expires"] > time.time() + MARGIN_S
        return about["jwks"] if fresh and self.file.exists() else None

    def make(self):
        now, signer = int(time.time()), SIGNERS[self.algorithm]()
        head = {"alg": self.algorithm, "typ": "JWT", "kid": f"{self.algorithm.lower()}-1"}
        start = base64url(json.dumps(head, separators=(",", ":")).encode())
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with open(self.file, "w", encoding="ascii") as file:
            for _ in range(self.count):
                message = start + "." + base64url(json.dumps(claims(now), separators=(",", ":")).encode())
                # All are of one length, so that a place in the file is a multiple of it.
                file.write(f"{message}.{base64url(signer.sign(message.encode()))}\n")
        jwks = {"keys": [{**signer.jwk(), "kid": head["kid"], "alg": self.algorithm, "use": "sig"}]}
        os.chmod(self.file, 0o600)
        self.about.write_text(json.dumps({"count": self.count, "expires": now + LIFETIME_S, "jwks": jwks}))
        self.about.chmod(0o600)
        return jwks
