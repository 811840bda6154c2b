"""The results as files and on the screen: results.json, report.md, and report.png by plot.py."""

import datetime
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import cases
import summary

CASE_TITLES = {"cold": "cold", "1": "1 token", "100": "100 tokens", "10000": "10,000 tokens"}


def about(options):
    """What was run, on what."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores",
        "sweeps": options.sweeps,
        "seconds": options.seconds,
        "chain": options.chain,
    }


def spread(value):
    return f"{value.median:.2f} ({value.low:.2f}–{value.high:.2f})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


SHORT = {
    "RS256 cold": ("RS256", "cold"),
    "ES256 cold": ("ES256", "cold"),
    "HS256 cold": ("HS256", "cold"),
    "RS256 known": ("RS256", "1"),
    "10,000 tokens, RS256": ("RS256", "10000"),
}


def short_table(costs, chained):
    """Medians of what matters most, for the README."""
    added = {cost.cell: f"{cost.added.median:.1f}" for cost in costs}
    in_chain = {cost.cell: f"{cost.added.median:.1f}" for cost in chained}
    rows = []
    for variant in cases.VARIANTS[1:]:
        figures = [added.get(cases.Cell(variant, *column), "") for column in SHORT.values()]
        rows.append([variant, *figures, in_chain.get(cases.Cell(variant, "RS256", "1"), "")])
    return table(["µs a request, over bare Envoy", *SHORT, "RS256 known, one of a chain"], rows)


def time_tables(costs):
    """For each algorithm the cost over bare Envoy: a row for each variant, a column for each rotation of tokens."""
    by_cell = {cost.cell: cost for cost in costs}
    for algorithm in cases.ALGORITHMS:
        base = by_cell.get(cases.bare(algorithm))
        if base is None:
            continue
        rows = []
        for variant in cases.VARIANTS[1:]:
            found = [by_cell.get(cases.Cell(variant, algorithm, case)) for case in cases.TOKENS]
            if any(found):
                rows.append([variant, *(spread(cost.added) if cost else "" for cost in found)])
        yield f"### {algorithm}: bare Envoy {spread(base.whole)} µs a request"
        yield table(["over bare, µs", *CASE_TITLES.values()], rows)


def chain_table(costs, chain):
    """The cost of one of several filters in a row, which all know the token: a column for each algorithm."""
    by_cell = {cost.cell: cost for cost in costs}
    algorithms = [name for name in cases.ALGORITHMS if cases.bare(name) in by_cell]
    rows = []
    for variant in cases.VARIANTS[1:]:
        found = [by_cell.get(cases.Cell(variant, name, "1")) for name in algorithms]
        if any(found):
            rows.append([variant, *(spread(cost.added) if cost else "" for cost in found)])
    yield f"### One of {chain} filters in a chain, 1 token"
    yield table(["over bare, µs", *algorithms], rows)


def memory_table(memory):
    workers = list(memory[cases.BARE])
    rows = []
    for variant, found in memory.items():
        growth = [summary.further_worker(memory, variant, state) for state in (0, 1)]
        shown = [f"{found[count][0]:.1f} / {found[count][1]:.1f}" for count in workers]
        rows.append([variant, *shown, f"{growth[0]:.1f} / {growth[1]:.1f}" if variant != cases.BARE else ""])
    return table(["RSS, MB: one token / many", *(f"{count} workers" for count in workers), "each further worker, over bare"], rows)


def targets(results):
    found = list(summary.time_targets(results["costs"], results["chained"])) + list(summary.size_targets(results["sizes"]))
    return found + (list(summary.memory_targets(results["memory"])) if results["memory"] else [])


def target_table(found):
    rows = []
    for one in found:
        sign = "≥" if one.at_least else "≤"
        limit = f"{sign} {one.limit:g} {one.unit}" + (f" (better: {one.stretch:g})" if one.stretch else "")
        rows.append([one.what, f"{one.figure:.2f} {one.unit}", limit, "yes" if one.is_met else "**no**"])
    return table(["what", "measured", "target", "met"], rows)


def markdown(results):
    run = results["about"]
    yield f"# Portcullis beside jwt_authn, {run['date']}"
    yield (
        f"{run['cpu']}; Envoy {run.get('envoy', '')}, one worker. CPU time of the worker thread per request: median (quartiles) of "
        f"{run['sweeps']} rounds of {run['seconds']:g} s, shuffled. Native "
        "without a cache costs the same in each column."
    )
    if results["costs"]:
        yield short_table(results["costs"], results["chained"])
    yield from time_tables(results["costs"])
    if results["chained"]:
        yield from chain_table(results["chained"], run["chain"])
    if results["memory"]:
        yield "### Memory"
        yield memory_table(results["memory"])
    yield "### Module sizes"
    yield table(["module", "KB"], [[name, f"{size / 1024:.0f}"] for name, size in results["sizes"].items()])
    yield "### Targets"
    yield target_table(targets(results))


def cost_as_json(cost):
    return {**cost.cell._asdict(), "whole_us": cost.whole._asdict(), "added_us": cost.added._asdict(), "rounds": cost.rounds}


def as_json(results):
    """The same as values of JSON."""
    return {
        "about": results["about"],
        "sizes": results["sizes"],
        "costs": [cost_as_json(cost) for cost in results["costs"]],
        "chained": [cost_as_json(cost) for cost in results["chained"]],
        "memory_mb": results["memory"],
        "targets": [{**one._asdict(), "is_met": one.is_met} for one in targets(results)],
    }


def write(folder, results):
    text = "\n\n".join(markdown(results)) + "\n"
    print(text)
    (folder / "report.md").write_text(text)
    (folder / "results.json").write_text(json.dumps(as_json(results), indent=1) + "\n")
    plot = Path(__file__).with_name("plot.py")
    subprocess.run([sys.executable, plot, folder / "results.json", folder / "report.png"], check=True)
    print(f"in {os.path.relpath(folder)}: report.md, results.json, report.png")
