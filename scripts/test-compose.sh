#!/usr/bin/env bash
# Runs envoy/docker-compose.yml for real with podman-compose: one request that is refused, one that is let through, one audit
# line. Skipped with a word where podman is missing.
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
compose=$ROOT/envoy/docker-compose.yml
python_image=docker.io/library/python:3.12-slim
envoy_image=docker.io/envoyproxy/envoy:v1.40.0
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
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT

# A Debian with Python, openssl and Envoy, under the name of the image that it stands for.
build_image() {
    local image=$1
    if [[ ! -f $store/rootfs.tar ]]; then
        has debootstrap || apt_install "building images where none can be pulled" debootstrap
        [[ $(id -u) == 0 ]] || die "cannot pull $image, and only root can build it"
        say "building a small Debian to stand for the images that cannot be pulled (two minutes, once)"
        debootstrap --variant=minbase --include=python3,openssl "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$work/rootfs" \
            >"$work/debootstrap.log" 2>&1 || { tail -n 5 "$work/debootstrap.log" >&2 && die "debootstrap failed"; }
        install -m 755 "$TOOLS/envoy/envoy" "$work/rootfs/usr/local/bin/envoy"
        tar -C "$work/rootfs" --exclude=./var/cache --exclude=./var/lib/apt -cf "$store/rootfs.tar" .
        rm -rf "$work/rootfs"
    fi
    podman import --quiet "$store/rootfs.tar" "$image" >/dev/null
}

for image in "$python_image" "$envoy_image"; do
    podman image exists "$image" || timeout 120 podman pull --quiet "$image" >/dev/null 2>&1 || build_image "$image"
done

read -r GATEWAY_PORT ADMIN_PORT ISSUER_PORT < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(each.getsockname()[1] for each in held))')
export GATEWAY_PORT ADMIN_PORT ISSUER_PORT

say "podman-compose up"
touch "$work/up"
podman-compose -f "$compose" up -d >"$work/up.log" 2>&1 || { tail -n 20 "$work/up.log" >&2 && die "podman-compose up failed"; }

python3 "$ROOT/scripts/compose_requests.py" "$GATEWAY_PORT" "$ADMIN_PORT" "$ISSUER_PORT"

for _ in $(seq 50); do
    podman-compose -f "$compose" logs envoy >"$work/envoy.log" 2>&1 || true
    if grep -q order.approve "$work/envoy.log"; then
        echo "the audit line stands in the container's log"
        exit 0
    fi
    sleep 0.2
done
die "no audit line in the log of the container"
