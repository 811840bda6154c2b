#!/usr/bin/env python3
"""A demo issuer: gives a token to anyone who asks. Never run it anywhere but in a demo.

Generates an RSA key at start and forgets it at the end. Needs Python's standard library and the `openssl` command.

GET /.well-known/jwks.json   the public key (RFC 7517)
GET /token?sub=…             an RS256 access token as text (RFC 9068). roles and scope are lists by comma or space;
                             ttl is in seconds (default 300), negative for an expired one
GET /healthz                 200
"""

import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact_json(value):
    return json.dumps(value, separators=(",", ":")).encode()


def openssl(*arguments, given=None):
    """What openssl prints."""
    return subprocess.run(["openssl", *arguments], input=given, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


class SigningKey:
    """An RSA key in a file that only this process's user can read."""

    def __init__(self, folder):
        self.file = os.path.join(folder, "key.pem")
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.file)
        os.chmod(self.file, 0o600)
        modulus = openssl("rsa", "-in", self.file, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
        public = {"e": "AQAB", "kty": "RSA", "n": base64url(bytes.fromhex(modulus))}
        # The key's thumbprint (RFC 7638) names it.
        self.kid = base64url(hashlib.sha256(compact_json(public)).digest())
        self.jwk = {**public, "kid": self.kid, "use": "sig", "alg": "RS256"}

    def token(self, claims):
        header = {"alg": "RS256", "typ": "at+jwt", "kid": self.kid}
        text = base64url(compact_json(header)) + "." + base64url(compact_json(claims))
        return text + "." + base64url(openssl("dgst", "-sha256", "-sign", self.file, given=text.encode()))


def items(text):
    return text.replace(",", " ").split()


class Answers(BaseHTTPRequestHandler):
    """Answers requests; `key`, `issuer` and `audience` are set by main."""

    protocol_version = "HTTP/1.1"
    # Headers and body are two writes; else the second waits 40 ms for the word that the first has come.
    disable_nagle_algorithm = True

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/.well-known/jwks.json":
            self.answer(200, compact_json({"keys": [self.key.jwk]}), "application/json")
        elif url.path == "/token":
            self.issue({name: values[0] for name, values in parse_qs(url.query).items()})
        elif url.path == "/healthz":
            self.answer(200, b"ok\n")
        else:
            self.answer(404, b"there are /.well-known/jwks.json, /token and /healthz here\n")

    def issue(self, asked):
        unknown = set(asked) - {"sub", "roles", "scope", "ttl", "aud"}
        try:
            ttl = int(asked.get("ttl", "300"))
        except ValueError:
            unknown.add("ttl (not a number)")
        if unknown or not asked.get("sub"):
            problem = "not understood: " + ", ".join(sorted(unknown)) if unknown else "sub is missing"
            self.answer(400, (problem + "; for example /token?sub=anna&roles=RESTAURANT&scope=orders.read\n").encode())
            return
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": asked.get("aud", self.audience),
            "sub": asked["sub"],
            "client_id": "demo",
            "iat": now,
            "exp": now + ttl,
            "jti": str(uuid.uuid4()),
            "roles": items(asked.get("roles", "")),
            "scope": " ".join(items(asked.get("scope", ""))),
        }
        self.answer(200, (self.key.token(claims) + "\n").encode())

    def answer(self, status, body, content_type="text/plain; charset=utf-8"):
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        # Not the query: it says who a token is for.
        sys.stderr.write(f"{self.command} {urlsplit(self.path).path} {arguments[1] if len(arguments) > 1 else ''}\n")


def main():
    parser = argparse.ArgumentParser(description="A demo issuer: gives a token to anyone who asks.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8082)
    parser.add_argument("--issuer", default="https://issuer.example.com", help="the iss of the tokens")
    parser.add_argument("--audience", default="orders", help="the aud of the tokens")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Answers.key, Answers.issuer, Answers.audience = SigningKey(folder), options.issuer, options.audience
        server = ThreadingHTTPServer((options.host, options.port), Answers)
        print(f"issuer {options.issuer} on http://{options.host}:{server.server_port}", file=sys.stderr, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
