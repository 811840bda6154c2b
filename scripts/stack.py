"""The demo's stack: Envoy with the bundle, the service behind it and the issuer of tokens, as processes of this machine."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / "envoy" / "portcullis.yaml"
# The ports that the shipped configuration names.
SHIPPED_PORTS = {"gateway": 10000, "admin": 9901, "service": 8081, "issuer": 8082}
START_DEADLINE_S = 20
STOP_DEADLINE_S = 5


class StackError(Exception):
    """The stack could not be started. `log` is the file that says more."""

    def __init__(self, problem, log=None):
        super().__init__(problem)
        self.log = log


def free_ports(*more):
    """A port that is free now for each server, and for more of them."""
    sockets = {name: socket.socket() for name in [*SHIPPED_PORTS, *more]}
    try:
        for held in sockets.values():
            held.bind(("127.0.0.1", 0))
        return {name: held.getsockname()[1] for name, held in sockets.items()}
    finally:
        for held in sockets.values():
            held.close()


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def started_at(pid):
    """When the process of this number started, in the kernel's ticks: two processes with one number differ in it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else fields[18]


def restore_signals():
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def tail(file, lines=15):
    try:
        return "\n".join(Path(file).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


class Stack:
    """Processes with their ports and the folder that holds their logs."""

    def __init__(self, folder, ports):
        self.folder, self.ports = Path(folder), ports
        self.processes = {}

    @property
    def audit_log(self):
        """The file that takes Envoy's standard output: the access log, hence the audit lines."""
        return self.folder / "audit.log"

    def log(self, name):
        return self.folder / f"{name}.log"

    def start(self, envoy):
        """Start all and return when the gateway answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        taken = [f"{port} ({name})" for name, port in self.ports.items() if not is_free(port)]
        if taken:
            raise StackError(f"these ports of 127.0.0.1 are in use by another program: {', '.join(taken)}")
        servers = ROOT / "envoy" / "servers"
        self.run("issuer", [sys.executable, servers / "issuer.py", "--port", self.ports["issuer"]])
        self.run("service", [sys.executable, servers / "upstream.py", "--port", self.ports["service"]])
        self.await_answer("issuer", self.ports["issuer"], "/healthz")
        self.await_answer("service", self.ports["service"], "/")
        # The audit lines are wanted now, not after Envoy's ten seconds.
        arguments = ["--use-dynamic-base-id", "--concurrency", 2, "--file-flush-interval-msec", 200, "--log-level", "warning"]
        self.run("envoy", [envoy, "-c", self.configuration(), *arguments], stdout=self.audit_log)
        self.await_answer("envoy", self.ports["admin"], "/ready")

    def configuration(self):
        """A copy of the shipped configuration with this stack's ports."""
        text = CONFIGURATION.read_text()
        for name, shipped in SHIPPED_PORTS.items():
            text = text.replace(f"port_value: {shipped}}}", f"port_value: {self.ports[name]}}}")
        file = self.folder / "envoy.yaml"
        file.write_text(text)
        return file

    def run(self, name, command, stdout=None):
        log = self.log(name)
        with open(log, "w") as errors, open(stdout or os.devnull, "w") as output:
            self.processes[name] = subprocess.Popen(
                [str(word) for word in command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                # A Ctrl-C in the terminal ends this script, which then ends its processes in order.
                start_new_session=True,
                preexec_fn=restore_signals,
            )

    def await_answer(self, name, port, path):
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            if self.processes[name].poll() is not None:
                raise StackError(f"{name} ended with exit code {self.processes[name].returncode}", self.log(name))
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
                connection.request("GET", path)
                if connection.getresponse().status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.05)
        raise StackError(f"{name} did not answer on 127.0.0.1:{port} within {START_DEADLINE_S} s", self.log(name))

    def stop(self):
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()


class Keeper:
    """The process that holds a stack while nobody waits for it: Envoy ends with the process that started it.

    It is this file, run with the folder as its argument. Its one line of output says how the start went.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.note = self.folder / "keeper.json"

    def pid(self):
        """The keeper's process, when it runs."""
        try:
            note = json.loads(self.note.read_text())
        except (OSError, ValueError):
            return None
        return note["pid"] if note["started"] and started_at(note["pid"]) == note["started"] else None

    def start(self, envoy):
        """Start a keeper with a stack on the shipped ports; returns when the gateway answers."""
        command = [sys.executable, __file__, str(self.folder), str(envoy)]
        self.folder.mkdir(parents=True, exist_ok=True)
        # It must hold nothing of the caller's open: a pipe that `make demo-up` writes into would never end.
        with open(self.folder / "keeper.log", "w") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        with process.stdout as output:
            said = output.readline()
        outcome = json.loads(said) if said else {"problem": "the keeper of the stack ended", "log": None}
        if outcome["problem"]:
            process.wait()
            raise StackError(outcome["problem"], outcome["log"])
        self.note.write_text(json.dumps({"pid": process.pid, "started": started_at(process.pid)}) + "\n")

    def stop(self):
        """End the keeper and with it the stack; says whether there was one."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 3 * STOP_DEADLINE_S
            while self.pid() is not None and time.monotonic() < deadline:
                time.sleep(0.05)
        self.note.unlink(missing_ok=True)
        return pid is not None


def keep(folder, envoy):
    """What a keeper does: start, say how it went, wait for SIGTERM, stop."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    stack, problem, log = Stack(folder, SHIPPED_PORTS), None, None
    try:
        stack.start(envoy)
    except StackError as error:
        problem, log = str(error), error.log and str(error.log)
    print(json.dumps({"problem": problem, "log": log}), flush=True)
    if problem is None:
        # Whoever reads the output is not to wait for more of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        signal.sigwait({signal.SIGTERM})
    stack.stop()


if __name__ == "__main__":
    keep(*sys.argv[1:])
