"""Clients that hold keys, with two JOSE libraries: jwcrypto and PyJWT.

prove.py < requests: for each line `{"generate": ALGORITHM}` a private key as JWK, its thumbprint and its public part; for each line
`{"by": LIBRARY, "key": PRIVATE, "public": PUBLIC, "algorithm": …, "claims": …}` a proof.
"""
import json
import sys

import jwt as pyjwt
from jwcrypto import jwk, jws

KINDS = {
    "ES256": {"kty": "EC", "crv": "P-256"},
    "ES384": {"kty": "EC", "crv": "P-384"},
    "ES512": {"kty": "EC", "crv": "P-521"},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
    "PS256": {"kty": "RSA", "size": 2048},
    "RS256": {"kty": "RSA", "size": 3072},
}


def generate(algorithm):
    key = jwk.JWK.generate(**KINDS[algorithm])
    private, public = json.loads(key.export_private()), json.loads(key.export_public())
    return json.dumps({"private": private, "public": public, "thumbprint": key.thumbprint()})


def by_jwcrypto(key, header, claims):
    text = jws.JWS(json.dumps(claims))
    text.add_signature(jwk.JWK(**key), header["alg"], json.dumps(header))
    return text.serialize(compact=True)


def by_pyjwt(key, header, claims):
    return pyjwt.encode(claims, pyjwt.PyJWK(key, header["alg"]).key, algorithm=header["alg"], headers=header)


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        if "generate" in asked:
            print(generate(asked["generate"]))
        else:
            header = {"typ": "dpop+jwt", "alg": asked["algorithm"], "jwk": asked["public"]}
            prove = {"jwcrypto": by_jwcrypto, "pyjwt": by_pyjwt}[asked["by"]]
            print(prove(asked["key"], header, asked["claims"]))


main()
