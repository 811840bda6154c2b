"""What the rounds say: medians, quartiles, the cost over bare Envoy, ratios, and which targets are met."""

import statistics
from typing import NamedTuple

import cases


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
    """CPU time of the worker per request in µs: of the whole request, and over bare Envoy, per filter."""

    cell: cases.Cell
    whole: Spread
    added: Spread
    rounds: int


def costs(sweeps, chain):
    """The costs of all cells. Each sweep maps a cell to its rounds; a round is compared with the bare rounds of its own sweep."""
    order = list(sweeps[0])
    found = []
    for cell in order:
        whole, added = [], []
        for sweep in sweeps:
            baseline = statistics.mean(one.us for one in sweep[cases.bare(cell.algorithm)])
            whole += [one.us for one in sweep[cell]]
            added += [(one.us - baseline) / chain for one in sweep[cell]]
        found.append(Cost(cell, Spread.of(whole), Spread.of(added), len(whole)))
    return found


class Target(NamedTuple):
    """Something to be reached: what, the figure that was measured, the limit, and whether more is better."""

    what: str
    figure: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def is_met(self):
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


def time_targets(found):
    added = {cost.cell: cost.added.median for cost in found}

    def ratio(over, under):
        return added[over] / added[under] if over in added and under in added else None

    for ours in (cases.MODULE, cases.BUNDLE):
        for algorithm in cases.ALGORITHMS:

            def cell(variant, case):
                return cases.Cell(variant, algorithm, case)

            cold = ratio(cell(ours, cases.COLD), cell(cases.NATIVE, cases.COLD))
            if cold and algorithm in ("RS256", "ES256"):
                yield Target(f"{ours}, {algorithm}, cold, over native", cold, 0.85, "×")
            warm = ratio(cell(ours, "1"), cell(cases.NATIVE_LARGE_CACHE, "1"))
            if warm:
                yield Target(f"{ours}, {algorithm}, warm, over native with its cache hitting", warm, 2.5, "×")
                yield Target(f"{ours}, {algorithm}, warm, over native with its cache hitting: stretch", warm, 1.7, "×")
            many = ratio(cell(cases.NATIVE_DEFAULT_CACHE, "10000"), cell(ours, "10000"))
            if many:
                what = f"native with its default cache, {algorithm}, 10,000 tokens, over {ours}"
                yield Target(what, many, 5, "×", at_least=True)


def size_targets(sizes):
    for module, size in sizes.items():
        yield Target(f"{module}, size", size / 1000, 700, "KB")


def memory_targets(memory):
    """From RSS in MB: {variant: {workers: (after one token, after all)}}."""
    for ours in (cases.MODULE, cases.BUNDLE):
        if ours in memory:
            yield Target(f"{ours}, each further worker", further_worker(memory, ours), 2, "MB")


def further_worker(memory, variant, state=0):
    """What a worker more takes in MB, over what it takes with bare Envoy."""
    few, many = min(memory[variant]), max(memory[variant])

    def growth(of):
        return (memory[of][many][state] - memory[of][few][state]) / (many - few)

    return growth(variant) - growth(cases.BARE)
