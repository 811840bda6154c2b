#!/usr/bin/env python3
"""Draws the dashboard from live data: the demo's stack under light load, with a Prometheus beside it.

observe.py [PNG]     default .run/observe/dashboard.png; takes about a minute

The queries are those of observability/grafana/dashboard.json, asked as Grafana asks them. Needs dist/portcullis.wasm (make build),
Envoy (scripts/envoy.sh), prometheus, openssl and matplotlib (scripts/tools.sh envoy demo prometheus observe).
"""

import http.client
import io
import json
import random
import re
import shutil
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import matplotlib
from PIL import Image
from stack import CONFIGURATION, ROOT, Stack, StackError, free_ports

from demo import envoy_binary

matplotlib.use("Agg")
from matplotlib import pyplot, ticker  # noqa: E402

RUN = ROOT / ".run" / "observe"
DASHBOARD = ROOT / "observability" / "grafana" / "dashboard.json"
RULES = ROOT / "observability" / "prometheus"
LOAD_S = 45
# How long it takes until all rates are there.
FIRST_RATES_S = 8
PERIOD_S = 0.02
# The panels that are drawn, three in a row.
PANELS = [
    "Requests by decision",
    "Denied, by reason",
    "Denied, by rule",
    "Duration of requests",
    "Forged identity headers",
    "Rules in shadow that would deny",
    "Age of keys",
    "Callouts",
    "Verification of signatures",
    "Tokens found in the cache",
    "Audit events",
    "$business",
]
BUSINESS = {"approved_orders": "2xx", "rejected_orders": "4xx"}
UNITS = {
    "reqps": "requests/s",
    "cps": "per second",
    "ops": "per second",
    "s": "seconds",
    "ms": "ms",
    "µs": "µs",
    "percentunit": "part",
    "short": "per second",
}
COLOURS = ["#3274d9", "#e02f44", "#37872d", "#ff9830", "#8f3bb8", "#0f8f8c", "#b8860b", "#6b6b6b"]
MEANING = {"allow": "#37872d", "deny": "#e02f44", "error": "#ff9830", "would_deny": "#8f3bb8"}


class ObservedStack(Stack):
    """The demo's stack with more to see in its configuration, and Prometheus."""

    def configuration(self):
        file = super().configuration()
        text = file.read_text()
        block = re.search(r"(?ms)^( +)value: \|\n(.*?)^ +- name: envoy\.filters\.http\.router$", text)
        document = json.loads(block.group(2))
        document["jwtAuth"]["jwtRules"][0]["refresh"] = "10s"
        document["jwtAuth"]["rules"].insert(
            0, {"name": "reports", "match": {"paths": ["/orders/reports"]}, "require": {"roles": ["ADMIN"]}, "shadow": True}
        )
        # The service takes anything, so it can stand for the server that keeps the events.
        sink = {"type": "http", "name": "siem", "format": "ndjson", "uri": "http://siem.example.com/events", "cluster": "orders"}
        document["auditLog"]["sinks"] = [{**sink, "batch": {"interval": "500ms"}}]
        match = {"paths": ["/orders/{orderId}/approve"], "methods": ["POST"]}
        labels = {"rule": "{rule}"}
        business = [{"name": name, "match": match, "status": status, "labels": labels} for name, status in BUSINESS.items()]
        document["metrics"] = {"business": business, "health": {"path": "/health"}}
        file.write_text(text[: block.start(2)] + f"{block.group(1)}  {json.dumps(document)}\n" + text[block.end(2) :])
        return file

    def start(self, envoy):
        super().start(envoy)
        prometheus = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES / "rules.yaml"), str(RULES / "alerts.yaml")],
            "scrape_configs": [
                {
                    "job_name": "gateway",
                    "metrics_path": "/stats/prometheus",
                    "static_configs": [{"targets": [f"127.0.0.1:{self.ports['admin']}"]}],
                }
            ],
        }
        file = self.folder / "prometheus.yml"
        file.write_text(json.dumps(prometheus))
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        options = [f"--config.file={file}", f"--storage.tsdb.path={self.folder / 'data'}"]
        self.run("prometheus", ["prometheus", *options, f"--web.listen-address=127.0.0.1:{self.ports['prometheus']}"])
        self.await_answer("prometheus", self.ports["prometheus"], "/-/ready")


def get(port, path, headers=None, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class Load:
    """Light traffic of several kinds, with a wave of expired tokens and one of forged headers."""

    def __init__(self, ports):
        self.ports, self.random = ports, random.Random(7)
        self.tokens = {}

    def token(self, **claims):
        key = tuple(sorted(claims.items()))
        # Every so often somebody signs in anew, so that there is something to verify.
        if key not in self.tokens or self.random.random() < 0.02:
            self.tokens[key] = get(self.ports["issuer"], "/token?" + urlencode(claims))[1].strip()
        return {"authorization": f"Bearer {self.tokens[key]}"}

    def send(self, second):
        draw, wave, order = self.random.random(), self.random.random(), self.random.randrange(1000)
        restaurant = self.token(sub="anna", roles="RESTAURANT", scope="orders.read")
        customer = self.token(sub=f"carl-{order % 5}", roles="CUSTOMER", scope="orders.read")
        if 0.38 * LOAD_S < second < 0.58 * LOAD_S and wave < 0.35:
            return "GET", f"/orders/{order}", self.token(sub="old", scope="orders.read", ttl="-600")
        if 0.66 * LOAD_S < second < 0.82 * LOAD_S and wave < 0.2:
            return "GET", f"/orders/{order}", {**customer, "x-user-id": "admin", "x-user-roles": "ADMIN"}
        if draw < 0.10:
            return "GET", "/orders/reports", customer
        if draw < 0.24:
            return "POST", f"/orders/{order}/approve", restaurant
        if draw < 0.30:
            return "POST", f"/orders/{order}/approve", customer
        if draw < 0.36:
            return "GET", f"/orders/{order}", {}
        if draw < 0.46:
            return "GET", "/healthz", {}
        return "GET", f"/orders/{order}", customer

    def run(self):
        begin, number = time.monotonic(), 0
        while (second := time.monotonic() - begin) < LOAD_S:
            method, path, headers = self.send(second)
            get(self.ports["gateway"], path, headers, method)
            if number % 50 == 0:
                get(self.ports["gateway"], "/health")
            number += 1
            # The days are not all alike.
            pause = PERIOD_S * (1.3 - 0.5 * (second / LOAD_S) + 0.3 * self.random.random())
            time.sleep(max(0.0, begin + second + pause - time.monotonic()))
        return number


def panels():
    """The chosen panels, with the variables of their queries filled in."""
    found = {panel["title"]: panel for panel in json.loads(DASHBOARD.read_text())["panels"]}
    for title in PANELS:
        panel = found[title]
        targets = []
        for target in panel["targets"]:
            query = target["expr"].replace("$job", "gateway").replace("$__rate_interval", "5s")
            if "$business" in query:
                targets += [(query.replace("$business", f"portcullis_{name}_total"), name) for name in BUSINESS]
            else:
                targets.append((query, target["legendFormat"]))
        yield panel, targets


def ask(port, query, begin, end):
    """The series of a query over a time: their labels, and their points."""
    path = f"/api/v1/query_range?query={quote(query)}&start={begin}&end={end}&step=1"
    status, text = get(port, path)
    if status != 200:
        raise StackError(f"Prometheus refuses {query}: {text}")
    for series in json.loads(text)["data"]["result"]:
        points = [(float(at) - begin, float(value)) for at, value in series["values"]]
        points = [(at, value) for at, value in points if value == value]
        if points:
            yield series["metric"], points


def legend(form, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match.group(1), ""), form).strip()


def draw(port, begin, end, file):
    pyplot.rcParams.update({"font.size": 9, "font.family": "DejaVu Sans", "axes.edgecolor": "#c8ccd4"})
    figure, grid = pyplot.subplots(4, 3, figsize=(15, 11), facecolor="#f4f5f7")
    empty = []
    for axes, (panel, targets) in zip(grid.flat, panels()):
        lines = []
        for query, form in targets:
            lines += [(legend(form, labels), points) for labels, points in ask(port, query, begin, end)]
        if not lines:
            empty.append(panel["title"])
        for place, (name, points) in enumerate(sorted(lines)):
            colour = MEANING.get(name, COLOURS[place % len(COLOURS)])
            across, up = zip(*points)
            axes.plot(across, up, color=colour, linewidth=1.6, label=name)
            axes.fill_between(across, up, color=colour, alpha=0.08)
        unit = panel["fieldConfig"]["defaults"]["unit"]
        title = "Business: orders approved and rejected" if panel["title"] == "$business" else panel["title"]
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color="#1f2329")
        axes.set_ylabel(UNITS.get(unit, unit), color="#5a6069")
        axes.set_xlim(0, end - begin)
        highest = max((value for _, points in lines for _, value in points), default=1) or 1
        axes.set_ylim(0, 1.05 if unit == "percentunit" else highest * 1.15)
        if unit == "percentunit":
            axes.yaxis.set_major_formatter(ticker.PercentFormatter(1))
            axes.set_ylabel("")
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda at, _: f"{at:.0f} s"))
        axes.tick_params(colors="#5a6069", length=0)
        axes.grid(color="#e4e7eb", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.1), ncols=3, frameon=False, fontsize=8, columnspacing=1.2, handlelength=1.2)
    figure.suptitle("Portcullis: the demo under light load, seen by Prometheus", x=0.02, y=0.985, ha="left", fontsize=15, fontweight="bold")
    figure.text(
        0.02, 0.948, "A wave of expired tokens, then one of forged identity headers. Main panels of observability/grafana/dashboard.json.",
        fontsize=10, color="#5a6069",
    )  # fmt: skip
    figure.tight_layout(rect=(0.005, 0, 0.995, 0.955), h_pad=2.2, w_pad=1.6)
    file.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=90, facecolor=figure.get_facecolor())
    # Few colours make a small file.
    Image.open(drawn).convert("RGB").quantize(96).save(file, optimize=True)
    if empty:
        raise StackError(f"these panels have no data: {', '.join(empty)}")


def main(arguments):
    if len(arguments) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    file = Path(arguments[0]) if arguments else RUN / "dashboard.png"
    running = ObservedStack(RUN, free_ports("prometheus"))
    try:
        running.start(envoy_binary())
        print(f"the demo's stack is up; {LOAD_S} seconds of light load")
        begin = time.time()
        load = Load(running.ports)
        worker = threading.Thread(target=load.run)
        worker.start()
        worker.join()
        end = begin + LOAD_S
        # The last scrapes are to be there.
        time.sleep(2)
        draw(running.ports["prometheus"], begin + FIRST_RATES_S, end, file)
    except StackError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        running.stop()
    print(f"the picture is {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
