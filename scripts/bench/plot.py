#!/usr/bin/env python3
"""Draws results.json: the cost of each variant over bare Envoy, and the memory that it takes.

plot.py RESULTS PNG
"""

import json
import sys

import cases
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

COLOURS = {
    cases.BARE: "#9e9e9e",
    cases.NATIVE: "#7b1fa2",
    cases.NATIVE_DEFAULT_CACHE: "#c2185b",
    cases.NATIVE_LARGE_CACHE: "#f57c00",
    cases.MODULE: "#1976d2",
    cases.MODULE_EQUAL: "#64b5f6",
    cases.BUNDLE: "#00897b",
    cases.NATIVE_NO_HEADERS: "#ffcc80",
    cases.NATIVE_SIX_HEADERS: "#e65100",
    cases.BUNDLE_NO_HEADERS: "#80cbc4",
    cases.BUNDLE_SIX_HEADERS: "#004d40",
    cases.BUNDLE_NO_AUDIT: "#d7ccc8",
    cases.BUNDLE_UNRECORDED: "#bcaaa4",
    cases.BUNDLE_JSON_LOG: "#8d6e63",
    cases.BUNDLE_ACCESSLOG: "#6d4c41",
    cases.BUNDLE_OWN_MEMBERS: "#4e342e",
    cases.BUNDLE_HTTP: "#3e2723",
    cases.BUNDLE_NO_METRICS: "#90a4ae",
    cases.BUNDLE_NO_OBSERVERS: "#546e7a",
    cases.BUNDLE_NO_STATUS: "#b0bec5",
}
ROWS = {"10000": "10,000 tokens", "100": "100 tokens", "1": "1 token", "cold": "cold"}
STEP = 0.09


def cost_panel(axes, algorithm, costs):
    """A dot for each variant with its quartiles, on a logarithmic scale: the costs differ by two orders of magnitude."""
    bare = next(cost for cost in costs if cost["variant"] == cases.BARE)
    for place, case in enumerate(ROWS):
        group = [cost for cost in costs if cost["case"] == case and cost["variant"] != cases.BARE]
        for index, cost in enumerate(group):
            height = place + ((len(group) - 1) / 2 - index) * STEP
            spread, colour = cost["added_us"], COLOURS[cost["variant"]]
            median, low, high = (max(spread[name], 0.1) for name in ("median", "low", "high"))
            axes.plot([low, high], [height, height], color=colour, linewidth=2, alpha=0.5)
            axes.plot(median, height, "o", color=colour, markersize=6)
            axes.annotate(
                f"{spread['median']:.1f}", (max(median, high), height), (5, 0), textcoords="offset points", va="center", fontsize=8
            )
    axes.set_xscale("log")
    axes.margins(x=0.18)
    axes.set_yticks(range(len(ROWS)), ROWS.values())
    axes.set_ylim(-0.6, len(ROWS) - 0.4)
    axes.set_title(f"{algorithm} (bare Envoy: {bare['whole_us']['median']:.1f} µs)")
    axes.set_xlabel("µs of CPU a request, over bare Envoy")
    axes.grid(axis="x", which="both", alpha=0.2)
    for line in range(1, len(ROWS)):
        axes.axhline(line - 0.5, color="#cccccc", linewidth=0.8)


def memory_panel(axes, memory):
    workers = list(memory[cases.BARE])
    width = 0.8 / len(memory)
    for index, (variant, found) in enumerate(memory.items()):
        left = [place - 0.4 + (index + 0.5) * width for place in range(len(workers))]
        axes.bar(left, [found[count][1] for count in workers], width * 0.9, color=COLOURS[variant], alpha=0.35)
        axes.bar(left, [found[count][0] for count in workers], width * 0.9, color=COLOURS[variant])
    axes.set_xticks(range(len(workers)), [f"{count} worker{'s' if count != '1' else ''}" for count in workers])
    axes.set_ylabel("RSS, MB")
    axes.set_title("memory: after one token, and (pale) after many")
    axes.grid(axis="y", alpha=0.2)


def draw(results, file):
    by_algorithm = {name: [cost for cost in results["costs"] if cost["algorithm"] == name] for name in cases.ALGORITHMS}
    panels = [(name, costs) for name, costs in by_algorithm.items() if costs]
    count = len(panels) + bool(results["memory_mb"])
    columns = min(count, 2)
    rows = -(-count // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(7.5 * columns, 4.6 * rows), squeeze=False)
    spaces = list(grid.flat)
    for axes, (name, costs) in zip(spaces, panels):
        cost_panel(axes, name, costs)
    if results["memory_mb"]:
        memory_panel(spaces[len(panels)], results["memory_mb"])
    for axes in spaces[count:]:
        axes.remove()
    marks = [pyplot.Line2D([], [], marker="o", linestyle="", color=COLOURS[variant], label=variant) for variant in cases.VARIANTS]
    figure.legend(handles=marks, loc="lower center", ncol=len(marks))
    about = results["about"]
    title = f"Portcullis beside jwt_authn of Envoy {about.get('envoy', '')}: medians and quartiles"
    figure.suptitle(f"{title}\n{about['cpu']}, {about['date']}")
    figure.tight_layout(rect=(0, 0.3 / figure.get_figheight(), 1, 1))
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source:
        draw(json.load(source), sys.argv[2])
