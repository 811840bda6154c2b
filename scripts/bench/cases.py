"""What is measured: the variants of a listener, the tokens that it gets, and which of them are measured together."""

from fnmatch import fnmatch
from typing import NamedTuple

ALGORITHMS = ("RS256", "ES256", "HS256")

# jwt_authn's cache as `jwt_cache_config: {}` makes it, and one that holds all tokens of a rotation.
DEFAULT_CACHE = 100
LARGE_CACHE = 12_000

BARE = "bare"
NATIVE = "native"
NATIVE_DEFAULT_CACHE = "native, cache 100"
NATIVE_LARGE_CACHE = "native, cache 12,000"
MODULE = "jwt_auth.wasm"
# The module without what jwt_authn has no equal for: it tells no other filter of the caller, and asks the route for no rule.
MODULE_EQUAL = "jwt_auth.wasm, equal work"
BUNDLE = "portcullis.wasm"
# Without and with headers that tell the upstream of the caller: what these cost is the difference.
NATIVE_NO_HEADERS = "native, cache 12,000, no headers"
NATIVE_SIX_HEADERS = "native, cache 12,000, 6 headers"
BUNDLE_NO_HEADERS = "portcullis.wasm, no headers"
BUNDLE_SIX_HEADERS = "portcullis.wasm, 6 headers"
INJECTING = (NATIVE_NO_HEADERS, NATIVE_SIX_HEADERS, BUNDLE_NO_HEADERS, BUNDLE_SIX_HEADERS)
SIX = (NATIVE_SIX_HEADERS, BUNDLE_SIX_HEADERS)
# What recording a request costs: without an audit log, with one that does not record this request, and with each sink, beside Envoy's
# own JSON access log of the same fields.
BUNDLE_NO_AUDIT = "portcullis.wasm, no audit log"
BUNDLE_UNRECORDED = "portcullis.wasm, not recorded"
BUNDLE_JSON_LOG = "portcullis.wasm, Envoy's JSON log"
BUNDLE_ACCESSLOG = "portcullis.wasm, accesslog"
BUNDLE_OWN_MEMBERS = "portcullis.wasm, accesslog, own members"
BUNDLE_HTTP = "portcullis.wasm, http"
AUDITING = (BUNDLE_NO_AUDIT, BUNDLE_UNRECORDED, BUNDLE_JSON_LOG, BUNDLE_ACCESSLOG, BUNDLE_OWN_MEMBERS, BUNDLE_HTTP)
# What all metrics cost: beside an audit log that reads the status as well, by themselves, and without the label that has it read.
BUNDLE_NO_METRICS = "portcullis.wasm, no metrics"
BUNDLE_NO_OBSERVERS = "portcullis.wasm, neither metrics nor audit log"
BUNDLE_NO_STATUS = "portcullis.wasm, metrics without status, no audit log"
METERING = (BUNDLE_NO_METRICS, BUNDLE_NO_OBSERVERS, BUNDLE_NO_STATUS)

VARIANTS = (BARE, NATIVE, NATIVE_DEFAULT_CACHE, NATIVE_LARGE_CACHE, MODULE, MODULE_EQUAL, BUNDLE, *INJECTING, *AUDITING, *METERING)
# What the access log of the listener writes is written once, however many filters there are.
BY_ACCESS_LOG = (BUNDLE_JSON_LOG, BUNDLE_ACCESSLOG, BUNDLE_OWN_MEMBERS)
IN_CHAIN = tuple(variant for variant in VARIANTS if variant not in BY_ACCESS_LOG)
# What is compared with jwt_authn.
OURS = (MODULE, MODULE_EQUAL, BUNDLE)

# Distinct tokens in rotation. `cold` is more of them than any of the caches holds (the modules: 32,768): taken in turn, each
# comes as a new one, to caches that are full.
COLD = "cold"
TOKENS = {COLD: 40_000, "1": 1, "100": 100, "10000": 10_000}

# Without a cache the rotation makes no difference, and a cache of 100 is no other than none while all tokens are new.
MEASURED = {
    COLD: (NATIVE, NATIVE_LARGE_CACHE, *OURS),
    "1": (NATIVE_DEFAULT_CACHE, NATIVE_LARGE_CACHE, *OURS, *INJECTING, *AUDITING, *METERING),
    "100": (NATIVE_DEFAULT_CACHE, NATIVE_LARGE_CACHE, *OURS),
    "10000": (NATIVE_DEFAULT_CACHE, NATIVE_LARGE_CACHE, *OURS),
}


class Cell(NamedTuple):
    """One listener: what stands in it, and the tokens that it gets."""

    variant: str
    algorithm: str
    case: str

    @property
    def tokens(self):
        return TOKENS[self.case]

    @property
    def label(self):
        return f"{self.algorithm}/{self.case}/{self.variant}"


def bare(algorithm):
    """What the others of this algorithm are compared with: the same request, and no filter that reads it."""
    return Cell(BARE, algorithm, "1")


def cells(patterns):
    """The cells that one of the patterns matches, the whole label or a part of it, and the bare ones that they compare with."""

    def is_wanted(cell):
        return any(fnmatch(cell.label, pattern) or pattern in cell.label.split("/") for pattern in patterns)

    chosen = [
        cell
        for algorithm in ALGORITHMS
        for case, variants in MEASURED.items()
        for cell in (Cell(variant, algorithm, case) for variant in variants)
        # To headers, events and metrics it does not matter how the token was signed.
        if cell.variant not in (*INJECTING, *AUDITING, *METERING) or cell.algorithm == ALGORITHMS[0]
        if not patterns or is_wanted(cell)
    ]
    return [bare(name) for name in ALGORITHMS if any(cell.algorithm == name for cell in chosen)] + chosen
