# Shared by scripts/build, demo, test and bench: installs what is missing, names the folders. Sourced, not run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${MCUOTA_BUILD_DIR:-$root/build}
jobs=$(nproc)

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Packages of debian/control's Build-Depends plus tests/peers.list, installed only when something is missing.
# A stamp of both lists makes the second run cost nothing.
install_needs() {
    local stamp=/var/cache/mcuota-build-needs wanted
    wanted=$(cat "$root/debian/control" "$root/tests/peers.list" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && return 0
    say "installing what the build and the tests need (debian/control, tests/peers.list)"
    export DEBIAN_FRONTEND=noninteractive
    local log
    log=$(mktemp)
    {
        as_root apt-get -q update
        # The peers are started by the tests themselves: keep Debian from starting system services of them.
        # shellcheck disable=SC2046
        as_root env RUNLEVEL=1 apt-get -q install -y --no-install-recommends $(sed 's/#.*//' "$root/tests/peers.list")
        as_root apt-get -q build-dep -y --no-install-recommends "$root"
    } > "$log" 2>&1 || { tail -n 40 "$log" >&2; say "installing failed"; exit 1; }
    rm -f "$log"
    echo "$wanted" | as_root tee "$stamp" > /dev/null
}

# configure_and_build PRESET [BUILD OPTIONS...]
configure_and_build() {
    local preset=$1
    shift
    (cd "$root" && cmake --preset "$preset" > "$root/.configure.$preset.log" 2>&1) ||
        { cat "$root/.configure.$preset.log" >&2; exit 1; }
    rm -f "$root/.configure.$preset.log"
    (cd "$root" && cmake --build --preset "$preset" --parallel "$jobs" "$@")
}
