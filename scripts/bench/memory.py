"""The memory of each variant: an Envoy of its own, with one worker and with more, after one token and after many."""

import cases
from load import Load
from proxy import Proxy

WORKERS = (1, 2, 4)
ALGORITHM = "RS256"
# Enough that each worker gets some.
CONNECTIONS = 64
ONE_TOKEN_S = 0.5
MANY_TOKENS_S = 4


def measure(envoy, folder, tokens, say):
    """RSS in MB: {variant: {workers: (after one token, after as many as fit in some seconds)}}."""
    jwks = {ALGORITHM: tokens[ALGORITHM].jwks}
    found = {}
    for variant in (variant for variant in cases.IN_CHAIN if variant not in (*cases.AUDITING, *cases.METERING)):
        found[variant] = {}
        one, many = cases.Cell(variant, ALGORITHM, "1"), cases.Cell(variant, ALGORITHM, cases.COLD)
        for workers in WORKERS:
            with Proxy(envoy, folder, [one, many], jwks, workers) as proxy:
                load = Load(proxy, tokens)
                load.round(one, ONE_TOKEN_S, CONNECTIONS)
                few_kb = proxy.resident_kb()
                load.round(many, MANY_TOKENS_S, CONNECTIONS)
                proxy.check_answers()
                found[variant][workers] = (few_kb / 1000, proxy.resident_kb() / 1000)
        say(f"memory of {variant}: " + ", ".join(f"{few:.1f} MB" for few, _ in found[variant].values()))
    return found
