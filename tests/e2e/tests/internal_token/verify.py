"""A service that takes the gateway's tokens, with two JOSE libraries: jwcrypto and PyJWT.

verify.py JWKS ISSUER AUDIENCE < tokens: for each line, the claims as JSON when both libraries take the token, or `refused` when
neither does. Where they disagree it fails.
"""
import json
import sys

import jwt as pyjwt
from jwcrypto import jwk
from jwcrypto import jwt as jwcrypto

ALGORITHMS = ["ES256", "EdDSA"]


def by_pyjwt(token, keys, issuer, audience):
    header = pyjwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt", header
    found = [key for key in pyjwt.PyJWKSet.from_dict(keys).keys if key.key_id == header["kid"]]
    if not found:
        return None
    required = {"require": ["iss", "sub", "aud", "exp", "iat", "jti"]}
    try:
        return pyjwt.decode(token, found[0].key, algorithms=ALGORITHMS, issuer=issuer, audience=audience, options=required)
    except pyjwt.InvalidTokenError:
        return None


def by_jwcrypto(token, keys, issuer, audience):
    claims = {"iss": issuer, "aud": audience, "sub": None, "exp": None, "iat": None, "jti": None}
    parsed = jwcrypto.JWT(algs=ALGORITHMS, check_claims=claims)
    parsed.leeway = 0
    try:
        parsed.deserialize(token, jwk.JWKSet.from_json(json.dumps(keys)))
    except Exception:  # its errors have no common base
        return None
    return json.loads(parsed.claims)


def main():
    document, issuer, audience = sys.argv[1:]
    keys = json.loads(document)
    # The name of a key is its thumbprint, as jwcrypto computes it.
    for key in keys["keys"]:
        assert jwk.JWK(**key).thumbprint() == key["kid"], key
    for token in sys.stdin.read().split():
        one, other = (take(token, keys, issuer, audience) for take in (by_pyjwt, by_jwcrypto))
        assert one == other, (one, other)
        print("refused" if one is None else json.dumps(one))


main()
