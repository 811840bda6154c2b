"""Rounds of load: wrk for a short time against one listener, and what that cost the proxy's workers."""

import json
import math
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from proxy import BenchError

SCRIPT = Path(__file__).with_name("rotate.lua")
CONNECTIONS = 16
WARM_UP_S = 0.3
WARM_UP_LIMIT_S = 120


class Round(NamedTuple):
    """What one round did: CPU time of the proxy's workers, and requests."""

    cpu_ns: int
    requests: int

    @property
    def us(self):
        return self.cpu_ns / self.requests / 1000


class Load:
    """Sends tokens in turn and knows, for each cell, with which to go on: what is cold stays so from round to round."""

    def __init__(self, proxy, tokens):
        self.proxy, self.tokens = proxy, tokens
        self.cursors = {}

    def round(self, cell, seconds, connections=CONNECTIONS):
        before = self.proxy.worker_cpu_ns()
        said = self.wrk(cell, seconds, connections)
        spent = self.proxy.worker_cpu_ns() - before
        if said["refused"] or said["failed"] or not said["requests"]:
            raise BenchError(f"{cell.label}: {said}\n{self.proxy.last_words()}")
        self.cursors[cell] = said["cursor"]
        return Round(spent, said["requests"])

    def warm_up(self, cell, connections=CONNECTIONS):
        """Until the listener has seen each of the tokens: those that are to be known to it then are, and those that are to be new
        each time find its cache full, as in a proxy that has been running for long."""
        deadline = time.monotonic() + WARM_UP_LIMIT_S
        self.round(cell, WARM_UP_S, connections)
        while self.cursors[cell] < cell.tokens + connections:
            if time.monotonic() > deadline:
                raise BenchError(f"{cell.label}: {cell.tokens} tokens took more than {WARM_UP_LIMIT_S} s")
            self.round(cell, WARM_UP_S, connections)

    def wrk(self, cell, seconds, connections):
        # wrk counts in whole seconds; an interrupt ends it in order before.
        process = subprocess.Popen(
            ["wrk", "-t1", f"-c{connections}", f"-d{math.ceil(seconds) + 1}s", "-s", SCRIPT]
            + [f"http://127.0.0.1:{self.proxy.port(cell)}/", "--"]
            + [str(self.tokens[cell.algorithm].file), str(cell.tokens), str(self.cursors.get(cell, 0))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=seconds + 20)
        except BaseException:
            process.kill()
            process.wait()
            raise
        lines = [line for line in output.splitlines() if line.startswith("{")]
        if process.returncode or len(lines) != 1:
            raise BenchError(f"{cell.label}: wrk failed:\n{output}")
        return json.loads(lines[0])
