"""What the rounds say: medians, quartiles, the cost over bare Envoy, ratios, and which targets are met."""

import statistics
from typing import NamedTuple

import cases


# What a request costs on a fast machine without any filter.
REFERENCE_BARE_US = 14.2


class Spread(NamedTuple):
    """A median with its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values):
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


class Cost(NamedTuple):
    """CPU time of the worker per request in µs: of the whole request, and over the median of bare Envoy, per filter."""

    cell: cases.Cell
    whole: Spread
    added: Spread
    rounds: int


def costs(rounds, chain):
    """The costs of all cells, from {cell: its rounds}."""
    found = []
    for cell, measured in rounds.items():
        baseline = statistics.median(one.us for one in rounds[cases.bare(cell.algorithm)])
        whole = [one.us for one in measured]
        added = [(us - baseline) / chain for us in whole]
        found.append(Cost(cell, Spread.of(whole), Spread.of(added), len(whole)))
    return found


class Target(NamedTuple):
    """Something to be reached: what, the figure that was measured, the limit, whether more is better, and what would be fine."""

    what: str
    figure: float
    limit: float
    unit: str
    at_least: bool = False
    stretch: float = None

    @property
    def is_met(self):
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


def time_targets(found, chained):
    """What is to be reached in time, from the costs of filters alone and of filters in a chain."""
    alone = {cost.cell: cost.added.median for cost in found}
    in_chain = {cost.cell: cost.added.median for cost in chained}
    for ours in cases.OURS:
        for algorithm in cases.ALGORITHMS:
            yield from cold_targets(alone, ours, algorithm)
            yield from warm_targets(alone, ours, algorithm, "")
            yield from warm_targets(in_chain, ours, algorithm, ", in a chain")
            yield from many_targets(alone, ours, algorithm)
    yield from header_targets(found)
    yield from audit_targets(found)
    bare_us = next((cost.whole.median for cost in found if cost.cell == cases.bare(cases.ALGORITHMS[0])), None)
    yield from metrics_targets(found, bare_us, "")
    yield from metrics_targets(chained, bare_us, ", in a chain")


def header_targets(found):
    """What six headers add to a request of a caller who is known. The limit in µs is for a machine that REFERENCE_BARE_US tells of."""
    algorithm = cases.ALGORITHMS[0]
    by_variant = {cost.cell.variant: cost for cost in found if cost.cell.algorithm == algorithm and cost.cell.case == "1"}
    if not all(variant in by_variant for variant in cases.INJECTING):
        return
    native, ours = (
        by_variant[six].added.median - by_variant[none].added.median
        for none, six in ((cases.NATIVE_NO_HEADERS, cases.NATIVE_SIX_HEADERS), (cases.BUNDLE_NO_HEADERS, cases.BUNDLE_SIX_HEADERS))
    )
    scaled = ours * REFERENCE_BARE_US / by_variant[cases.BARE].whole.median
    yield Target(f"six headers, where bare Envoy takes {REFERENCE_BARE_US} µs (here they add {ours:.1f})", scaled, 1.5, "µs")
    yield Target("six headers: portcullis.wasm over native", ours / native, 1, "×")


def audit_targets(found):
    """What recording a request adds: by the access log, over Envoy's own log of the same fields, and by a sink over HTTP. The limits
    in µs are for a machine that REFERENCE_BARE_US tells of."""
    by_variant = {cost.cell.variant: cost for cost in found if cost.cell.algorithm == cases.ALGORITHMS[0] and cost.cell.case == "1"}
    if not all(variant in by_variant for variant in cases.AUDITING):
        return
    scale = REFERENCE_BARE_US / by_variant[cases.BARE].whole.median
    for recorded, over, limit in (
        (cases.BUNDLE_ACCESSLOG, cases.BUNDLE_JSON_LOG, 1.5),
        (cases.BUNDLE_OWN_MEMBERS, cases.BUNDLE_JSON_LOG, 1.5),
        (cases.BUNDLE_HTTP, cases.BUNDLE_UNRECORDED, 4),
        (cases.BUNDLE_UNRECORDED, cases.BUNDLE_NO_AUDIT, 0.2),
    ):
        here = by_variant[recorded].added.median - by_variant[over].added.median
        what = f"{recorded} over {over}, where bare Envoy takes {REFERENCE_BARE_US} µs (here {here:.1f})"
        yield Target(what, here * scale, limit, "µs")


def metrics_targets(found, bare_us, how):
    """What all metrics add, in µs of a machine that REFERENCE_BARE_US tells of, where bare Envoy takes `bare_us` here."""
    by_variant = {cost.cell.variant: cost for cost in found if cost.cell.algorithm == cases.ALGORITHMS[0] and cost.cell.case == "1"}
    if not all(variant in by_variant for variant in (*cases.METERING, cases.BUNDLE, cases.BUNDLE_NO_AUDIT)):
        return
    for metered, over in (
        (cases.BUNDLE, cases.BUNDLE_NO_METRICS),
        (cases.BUNDLE_NO_STATUS, cases.BUNDLE_NO_OBSERVERS),
        (cases.BUNDLE_NO_AUDIT, cases.BUNDLE_NO_OBSERVERS),
    ):
        here = by_variant[metered].added.median - by_variant[over].added.median
        what = f"all metrics{how}: {metered} over {over}, where bare Envoy takes {REFERENCE_BARE_US} µs (here {here:.1f})"
        yield Target(what, here * REFERENCE_BARE_US / bare_us, 0.5, "µs")


def ratio(costs_of, over, under):
    return costs_of[over] / costs_of[under] if over in costs_of and under in costs_of else None


def cold_targets(costs_of, ours, algorithm):
    figure = ratio(costs_of, cases.Cell(ours, algorithm, "cold"), cases.Cell(cases.NATIVE, algorithm, "cold"))
    if figure is not None and algorithm in ("RS256", "ES256"):
        yield Target(f"{algorithm}, cold: {ours} over native", figure, 0.85, "×")


def warm_targets(costs_of, ours, algorithm, how):
    figure = ratio(costs_of, cases.Cell(ours, algorithm, "1"), cases.Cell(cases.NATIVE_LARGE_CACHE, algorithm, "1"))
    if figure is not None:
        yield Target(f"{algorithm}, warm{how}: {ours} over native with its cache", figure, 2.5, "×", stretch=1.7)


def many_targets(costs_of, ours, algorithm):
    native = cases.Cell(cases.NATIVE_DEFAULT_CACHE, algorithm, "10000")
    figure = ratio(costs_of, native, cases.Cell(ours, algorithm, "10000"))
    if figure is not None:
        yield Target(f"{algorithm}, 10,000 tokens: native with its default cache over {ours}", figure, 5, "×", at_least=True)


def size_targets(sizes):
    for module, size in sizes.items():
        yield Target(f"{module}, size", size / 1024, 700, "KB")


def memory_targets(memory):
    """From RSS in MB: {variant: {workers: (after one token, after all)}}."""
    for ours in cases.OURS:
        if ours in memory:
            yield Target(f"{ours}, each further worker", further_worker(memory, ours), 2, "MB")


def further_worker(memory, variant, state=0):
    """What a worker more takes in MB, over what it takes with bare Envoy."""
    few, many = min(memory[variant]), max(memory[variant])

    def growth(of):
        return (memory[of][many][state] - memory[of][few][state]) / (many - few)

    return growth(variant) - growth(cases.BARE)
