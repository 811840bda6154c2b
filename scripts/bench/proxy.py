"""An Envoy process: started on free ports of loopback, measured through /proc, ended by its process id."""

import json
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import configuration
from auditing import Sink

ROOT = Path(__file__).resolve().parent.parent.parent
START_DEADLINE_S = 60
STOP_DEADLINE_S = 5


class BenchError(Exception):
    """The measurement cannot go on, or what it found cannot be trusted."""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()


class Proxy:
    """Envoy with a listener for each cell. A context manager: it ends with the block."""

    def __init__(self, envoy, folder, cells, jwks, workers=1, chain=1):
        self.envoy, self.folder, self.workers = envoy, folder, workers
        self.cells = list(cells)
        *self.ports, self.admin, sink = free_ports(len(self.cells) + 2)
        self.sink = Sink(envoy, folder, sink)
        self.file = folder / "envoy.json"
        self.file.write_text(json.dumps(configuration.bootstrap(self.cells, self.ports, self.admin, sink, jwks, chain), indent=1))
        self.file.chmod(0o600)
        self.log = folder / "envoy.log"
        self.process = None

    def __enter__(self):
        self.sink.start()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(self.envoy), "-c", str(self.file), "--use-dynamic-base-id", "--log-level", "warning"]
                + ["--concurrency", str(self.workers)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def await_ready(self):
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise BenchError(f"Envoy ended with exit code {self.process.returncode}:\n{self.last_words()}")
            try:
                if self.ask("/ready").strip() == "LIVE":
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise BenchError(f"Envoy was not ready within {START_DEADLINE_S} s:\n{self.last_words()}")

    def stop(self):
        self.sink.stop()
        self.process.terminate()
        try:
            self.process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])

    def port(self, cell):
        return self.ports[self.cells.index(cell)]

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
            return answer.read().decode()

    def version(self):
        return json.loads(self.ask("/server_info"))["version"].split("/")[1]

    def answers(self):
        """For each cell: how many requests were answered, and how many of them with 2xx."""
        counted = dict(re.findall(r"^http\.(cell_\d+\.downstream_rq_(?:2xx|completed)): (\d+)$", self.ask("/stats"), re.M))
        prefixes = {cell: configuration.stat_prefix(index) for index, cell in enumerate(self.cells)}
        return {
            cell: tuple(int(counted.get(f"{prefix}.downstream_rq_{kind}", 0)) for kind in ("completed", "2xx"))
            for cell, prefix in prefixes.items()
        }

    def check_answers(self):
        for cell, (completed, succeeded) in self.answers().items():
            if completed != succeeded:
                raise BenchError(f"{cell.label}: only {succeeded} of {completed} requests were answered with 2xx")

    def worker_cpu_ns(self):
        """The CPU time of the worker threads so far, user and system."""
        return sum(thread_cpu_ns(task) for task in self.worker_tasks())

    def worker_tasks(self):
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        found = [task for task in tasks if (task / "comm").read_text().startswith("wrk:worker_")]
        if len(found) != self.workers:
            raise BenchError(f"Envoy has {len(found)} worker threads, not {self.workers}")
        return found

    def resident_kb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)[1])


def thread_cpu_ns(task):
    try:
        return int((task / "schedstat").read_text().split()[0])
    except FileNotFoundError:
        # A kernel without it counts in ticks of 10 ms.
        user, system = (task / "stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) * 10_000_000
