"""Reads the dashboard by Grafana's own types and writes it again. A key that does not come back is one that Grafana does not know,
or knows in another place or form: prints these, and fails if there are any.

grafana.py DASHBOARD
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

# What the editor of variables shows of a query. It is not in the schemas, and each dashboard that Grafana exports has it.
EDITORS_OWN = "definition"


def differences(ours, theirs, path="$"):
    """Where the second of two values of JSON has something else than the first, or nothing."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from differences(value, theirs[key], f"{path}.{key}")
            elif key != EDITORS_OWN:
                yield f"{path}.{key}: is not known to Grafana"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs)):
            yield from differences(one, other, f"{path}[{index}]")
    elif ours != theirs:
        yield f"{path}: {json.dumps(ours)[:80]} becomes {json.dumps(theirs)[:80]}"


def main():
    register_default_plugins()
    written = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(written)))
    found = list(differences(written, read))
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
