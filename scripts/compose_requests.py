"""The requests of `make test-compose`: compose_requests.py GATEWAY_PORT ADMIN_PORT ISSUER_PORT, all on this machine's loopback."""

import json
import sys
import time
import urllib.error
import urllib.request

START_DEADLINE_S = 60


def ask(url, headers=(), method="GET"):
    """Status and body."""
    request = urllib.request.Request(url, headers=dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def await_ok(url):
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        try:
            if ask(url)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit(f"error: {url} did not answer with 200 within {START_DEADLINE_S} s")


def check(what, found, expected):
    if found != expected:
        sys.exit(f"error: {what}: expected {expected!r}, found {found!r}")


def main(gateway, admin, issuer):
    # The last says that the gateway has the issuer's keys: the name of its container may take a while to be found.
    for url in (issuer + "/healthz", admin + "/ready", gateway + "/healthz", gateway + "/gateway/healthz"):
        await_ok(url)

    status, body = ask(gateway + "/orders/42/approve", method="POST")
    check("the answer without a token", (status, json.loads(body).get("code")), (401, "token_missing"))
    print("refused without a token: 401 token_missing")

    token = ask(issuer + "/token?sub=anna&roles=RESTAURANT")[1].strip()
    headers = {"authorization": "Bearer " + token, "x-user-id": "admin"}
    status, body = ask(gateway + "/orders/42/approve", headers, "POST")
    check("the status with a token", status, 200)
    seen = json.loads(body)["headers"]
    found = (seen.get("x-user-id"), seen.get("x-user-roles"), seen.get("authorization"))
    check("x-user-id, x-user-roles and authorization at the service", found, ("anna", "RESTAURANT", None))
    print("let through with a token: the service saw x-user-id: anna")


if __name__ == "__main__":
    main(*(f"http://127.0.0.1:{port}" for port in sys.argv[1:4]))
