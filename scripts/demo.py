#!/usr/bin/env python3
"""Plays what Portcullis does on a real Envoy, and checks each thing that it shows.

demo.py run     on free ports, for as long as it takes; exit code 1 when something is not as it should be
demo.py up      the same stack on the ports of envoy/portcullis.yaml, left running; prints requests to try
demo.py down    ends what `up` left running

Needs dist/portcullis.wasm (make build), Envoy (scripts/envoy.sh prints its path; else the variable PORTCULLIS_ENVOY) and openssl.
"""

import base64
import http.client
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import stack
from stack import ROOT, SHIPPED_PORTS, Keeper, Stack, StackError

RUN = ROOT / ".run"
PUBLISH_DEADLINE_S = 20
COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Mismatch(Exception):
    """Something is not as the story says."""


def bold(text):
    return f"\033[1m{text}\033[0m" if COLOURED else text


def faint(text):
    return f"\033[2m{text}\033[0m" if COLOURED else text


def check(what, found, expected):
    if found != expected:
        raise Mismatch(f"{what}: expected {expected!r}, found {found!r}")


class Answer:
    """What came back for a request."""

    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.headers, response.read().decode(errors="replace")

    def json(self):
        try:
            return json.loads(self.text)
        except ValueError:
            raise Mismatch(f"the answer {self.status} is not JSON: {self.text[:200]!r}") from None


def ask(port, method, path, headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=dict(headers))
        return Answer(connection.getresponse())
    finally:
        connection.close()


class Story:
    """The requests of the story, in the order in which they are told."""

    def __init__(self, running):
        self.running = running
        self.step = 0

    def title(self, text):
        self.step += 1
        print(f"\n{bold(f'{self.step}. {text}')}")

    def token(self, **claims):
        answer = ask(self.running.ports["issuer"], "GET", "/token?" + urlencode(claims))
        check("the issuer's answer", answer.status, 200)
        return answer.text.strip()

    def send(self, method, path, token=None, forged=None):
        """Send a request through the gateway, tell it and its answer."""
        headers = dict(forged or {})
        if token:
            headers["authorization"] = f"Bearer {token}"
        print(f"   > {method} {path}")
        for name, value in headers.items():
            print(f"   > {name}: {value[:24] + '…' if name == 'authorization' else value}")
        answer = ask(self.running.ports["gateway"], method, path, headers)
        print(f"   < {answer.status}")
        return answer

    def refused(self, answer, status, code):
        check("the status", answer.status, status)
        if "www-authenticate" in answer.headers:
            print(f"   < www-authenticate: {answer.headers['www-authenticate']}")
        print(f"   < {answer.text}")
        check("the code in the answer", answer.json().get("code"), code)

    def passed(self, answer, **expected):
        """The service got the request with these identity headers, and without the others and the token."""
        check("the status", answer.status, 200)
        seen = answer.json()["headers"]
        identity = {name: value for name, value in seen.items() if name.startswith("x-user-")}
        print("   the service saw " + (", ".join(f"{name}: {value}" for name, value in sorted(identity.items())) or "no x-user-* header"))
        check("the identity headers at the service", identity, {name.replace("_", "-"): value for name, value in expected.items()})
        check("the Authorization header at the service", seen.get("authorization"), None)

    def tell(self):
        self.title("Nobody gets in without a token.")
        answer = self.send("POST", "/orders/42/approve")
        self.refused(answer, 401, "token_missing")
        check("the challenge", answer.headers["www-authenticate"], 'Bearer realm="orders"')

        self.title("Anna has a token with the role RESTAURANT: the service learns who she is, and does not see the token.")
        anna = self.token(sub="anna", roles="RESTAURANT", scope="orders.read")
        self.passed(self.send("POST", "/orders/42/approve", anna), x_user_id="anna", x_user_roles="RESTAURANT")

        self.title("She claims to be somebody else in headers of her own: they are replaced by what her token says.")
        forged = {"x-user-id": "admin", "X-User-Roles": "ADMIN", "x-user-tenant": "another"}
        self.passed(self.send("GET", "/orders/42", anna, forged), x_user_id="anna", x_user_roles="RESTAURANT")

        self.title("Carl's token is valid too, but he has none of the roles that may approve an order.")
        carl = self.token(sub="carl", roles="CUSTOMER", scope="orders.read")
        self.refused(self.send("POST", "/orders/42/approve", carl), 403, "role_missing")

        self.title("A token that was altered, and one that has expired, are worth nothing.")
        self.refused(self.send("GET", "/orders/42", with_subject(anna, "admin")), 401, "signature_invalid")
        self.refused(self.send("GET", "/orders/42", self.token(sub="anna", scope="orders.read", ttl="-120")), 401, "token_expired")

        self.title("A public path needs no token; forged headers are removed there as well.")
        self.passed(self.send("GET", "/healthz", forged={"x-user-id": "admin"}))

        self.title("The audit log has a line for each approval that was tried, and for each request that was refused.")
        self.audit()

        self.title("Prometheus finds the counters, with labels, at /stats/prometheus.")
        self.counters()

    def audit(self):
        lines = eventually(self.audit_lines, lambda lines: len(lines) >= 5)
        check("the number of audit lines", len(lines), 5)
        events = [json.loads(line) for line in lines]
        for event in events:
            print(f"   {describe(event)}")
        approvals = [event for event in events if event["action"] == "order.approve"]
        check(
            "the approvals in the audit log",
            [(event["object"], event["outcome"], event["decision"]["reason"]) for event in approvals],
            [("42", "denied", "token_missing"), ("42", "allowed", "token_valid"), ("42", "denied", "role_missing")],
        )
        check("who approved", approvals[1]["principal"]["subject"], "anna")
        print(faint("   one of them as it is written:"))
        print(faint("   " + lines[1]))

    def audit_lines(self):
        return [line for line in self.running.audit_log.read_text().splitlines() if line.startswith("{")]

    def counters(self):
        def published():
            text = ask(self.running.ports["admin"], "GET", "/stats/prometheus?filter=portcullis").text
            return [line for line in text.splitlines() if line.startswith("portcullis_")]

        def is_whole(lines):
            return any(line.startswith("portcullis_request_duration_ms_count{") and not line.endswith(" 0") for line in lines)

        lines = eventually(published, is_whole)
        counted = [line for line in lines if line.startswith("portcullis_requests_total{")]
        measured = [line for line in lines if re.match(r"portcullis_request_duration_ms_(sum|count)", line)]
        for line in [*counted, *measured]:
            print(f"   {line}")
        series = {frozenset(re.findall(r'(\w+)="([^"]*)"', line)): int(line.rpartition(" ")[2]) for line in counted}

        def count(**labels):
            return sum(value for found, value in series.items() if set(labels.items()) <= found)

        check("requests counted", sum(series.values()), 7)
        allowed = count(rule="approve-order", decision="allow", reason="token_valid", method="POST", status_class="2xx")
        check("approvals allowed", allowed, 1)
        denied = count(rule="approve-order", decision="deny", reason="role_missing", method="POST", status_class="4xx")
        check("approvals without the role", denied, 1)
        check("requests without a token", count(reason="token_missing"), 1)
        check("requests to the public path", count(rule="health", reason="public"), 1)
        check("requests vouched for by the issuer", count(issuer="demo"), 3)
        check("requests measured", sum(float(line.rpartition(" ")[2]) for line in measured if "_count{" in line), 7.0)


def with_subject(token, subject):
    """The token with another subject and the old signature."""
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    altered = base64.urlsafe_b64encode(json.dumps({**claims, "sub": subject}).encode()).rstrip(b"=").decode()
    return f"{header}.{altered}.{signature}"


def describe(event):
    """An audit event as one readable line."""
    who = event["principal"]["subject"] if event["principal"] else "somebody unknown"
    request, decision = event["request"], event["decision"]
    what = f"{event['action']} {event['object']}" if event["action"] else f"{request['method']} {request['path']}"
    return f"{event['outcome']:8}{what} by {who}: {decision['reason']} (rule {decision['rule']}, status {event['response']['status']})"


def eventually(read, is_enough):
    """What `read` returns as soon as it is enough; what it returned last when it never is."""
    deadline = time.monotonic() + PUBLISH_DEADLINE_S
    while True:
        found = read()
        if is_enough(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def envoy_binary():
    envoy = os.environ.get("PORTCULLIS_ENVOY") or ROOT / ".tools" / "envoy" / "envoy"
    missing = [
        text
        for absent, text in (
            (not os.access(envoy, os.X_OK), f"{envoy}: run scripts/envoy.sh"),
            (not (ROOT / "dist" / "portcullis.wasm").is_file(), "dist/portcullis.wasm: run make build"),
            (shutil.which("openssl") is None, "the command openssl: install the package openssl"),
        )
        if absent
    ]
    if missing:
        raise StackError("missing: " + "; ".join(missing))
    return envoy


def run():
    envoy = envoy_binary()
    running = Stack(RUN / "demo", stack.free_ports())
    print("starting an issuer of tokens, a service that knows nothing about tokens, and Envoy with dist/portcullis.wasm between")
    try:
        running.start(envoy)
        Story(running).tell()
    except Mismatch:
        print(faint(f"\nthe end of {running.log('envoy')}:\n{stack.tail(running.log('envoy'))}"), file=sys.stderr)
        raise
    finally:
        running.stop()
    print(f"\n{bold('All of it was as it should be.')} `make demo-up` leaves the stack running for you to try.")


def up():
    keeper = Keeper(RUN / "up")
    if keeper.pid() is None:
        keeper.start(envoy_binary())
    else:
        print("the stack is up already; `make demo-down` ends it\n")
    folder = keeper.folder.relative_to(ROOT)
    gateway, issuer = (f"http://127.0.0.1:{SHIPPED_PORTS[name]}" for name in ("gateway", "issuer"))
    print(
        f"""The gateway is {gateway}, Envoy's admin page http://127.0.0.1:{SHIPPED_PORTS["admin"]}, the logs are in {folder}/.

ANNA=$(curl -s '{issuer}/token?sub=anna&roles=RESTAURANT&scope=orders.read')
CARL=$(curl -s '{issuer}/token?sub=carl&roles=CUSTOMER&scope=orders.read')
curl -i {gateway}/orders/42                                                  # 401: no token
curl -i -H "authorization: Bearer $ANNA" {gateway}/orders/42                 # 200: what the service saw
curl -i -H "authorization: Bearer $ANNA" -H 'x-user-id: admin' {gateway}/orders/42
curl -i -X POST -H "authorization: Bearer $ANNA" {gateway}/orders/42/approve # 200
curl -i -X POST -H "authorization: Bearer $CARL" {gateway}/orders/42/approve # 403: not his role
curl -i -H 'x-user-id: admin' {gateway}/healthz                              # 200: public, the forged header gone
curl -s 'http://127.0.0.1:{SHIPPED_PORTS["admin"]}/stats/prometheus?filter=portcullis'
cat {folder}/audit.log

A token is good for five minutes; ask for another then. `make demo-down` ends the stack."""
    )


def down():
    print("the stack is down" if Keeper(RUN / "up").stop() else "nothing was running")


def main(arguments):
    commands = {"run": run, "up": up, "down": down}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        commands[arguments[0]]()
    except Mismatch as mismatch:
        print(f"\nFAILED: {mismatch}", file=sys.stderr)
        return 1
    except StackError as error:
        print(f"\nFAILED: {error}", file=sys.stderr)
        if error.log:
            print(f"the end of {error.log}:\n{stack.tail(Path(error.log))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
