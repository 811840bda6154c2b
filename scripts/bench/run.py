#!/usr/bin/env python3
"""Measures what authentication costs a request, beside Envoy's own jwt_authn, in one Envoy process with one worker.

A listener for each combination of variant, algorithm and tokens; a round is a short load on one of them. A sweep has a round of
each, in shuffled order, and is repeated: what disturbs the machine disturbs all of them. CPU time of the worker thread is
counted, not the time on the clock. Results: report.md, results.json and report.png in the output folder.

Needs dist/ (make build), wrk, and Envoy (scripts/envoy.sh prints its path).
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

import cases
import report
import summary
from load import Load
from memory import measure as measure_memory
from proxy import ROOT, BenchError, Proxy
from tokens import Tokens


# How many rounds more than the others bare Envoy gets in a sweep.
BARE_AGAIN = 2


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envoy", type=Path, required=True, help="the binary")
    parser.add_argument("--out", type=Path, default=ROOT / ".run" / "bench", help="the output folder; default .run/bench")
    parser.add_argument("--sweeps", type=int, default=7, help="how many rounds each cell gets; default 7")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a round is; default 0.5")
    parser.add_argument(
        "--cases",
        nargs="*",
        default=[],
        metavar="PATTERN",
        help="only these cells, as algorithm/tokens/variant or a part of it: 'RS256', 'cold', '*/1/*.wasm'",
    )
    parser.add_argument(
        "--chain", type=int, default=10, help="warm tokens also through so many filters in a row; default 10, 1: not at all"
    )
    parser.add_argument("--memory", choices=("yes", "no", "only"), default="yes", help="whether memory is measured")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the rounds")
    return parser.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure_time(options, tokens, chosen, chain):
    """{cell: its rounds}, and Envoy's version."""
    jwks = {algorithm: kept.jwks for algorithm, kept in tokens.items()}
    order, rounds = random.Random(options.seed), {cell: [] for cell in chosen}
    # Everything is compared with bare Envoy, so it is measured more often.
    sweep = chosen + BARE_AGAIN * [cell for cell in chosen if cell.variant == cases.BARE]
    with Proxy(options.envoy, options.out, chosen, jwks, chain=chain) as proxy:
        load = Load(proxy, tokens)
        say(f"{len(chosen)} listeners of {chain} filters; warming up")
        for cell in chosen:
            load.warm_up(cell)
        for number in range(options.sweeps):
            order.shuffle(sweep)
            began = time.monotonic()
            for cell in sweep:
                rounds[cell].append(load.round(cell, options.seconds))
            say(f"sweep {number + 1} of {options.sweeps}: {len(sweep)} rounds in {time.monotonic() - began:.0f} s")
        proxy.check_answers()
        return rounds, proxy.version()


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = cases.cells(options.cases)
    if not chosen:
        raise BenchError(f"no case matches {' '.join(options.cases)}")
    sizes = {name: (ROOT / "dist" / name).stat().st_size for name in (cases.MODULE, cases.BUNDLE)}
    say("making tokens, where there are none from before")
    kept = {name: Tokens(options.out / "tokens", name, max(cases.TOKENS.values())) for name in cases.ALGORITHMS}
    results = {"about": report.about(options), "sizes": sizes, "costs": [], "chained": [], "memory": {}}
    if options.memory != "only":
        rounds, results["about"]["envoy"] = measure_time(options, kept, chosen, 1)
        results["costs"] = summary.costs(rounds, 1)
        warm = [cell for cell in chosen if cell.case == "1" and cell.variant in cases.IN_CHAIN]
        if options.chain > 1 and any(cell.variant != cases.BARE for cell in warm):
            rounds, _ = measure_time(options, kept, warm, options.chain)
            results["chained"] = summary.costs(rounds, options.chain)
    if options.memory != "no":
        results["memory"] = measure_memory(options.envoy, options.out, kept, say)
    report.write(options.out, results)


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
