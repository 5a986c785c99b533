# Shared by scripts/build, demo, test and bench: installs what is missing, names the folders. Sourced, not run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${MCUOTA_BUILD_DIR:-$root/build}
jobs=$(nproc)

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The tests start broker and web server by themselves: while their packages are installed, Debian must not start
# them as system services. An existing policy of the machine is left alone.
forbid_service_starts() {
    [ -e /usr/sbin/policy-rc.d ] && return 0
    printf '#!/bin/sh\n# mcuota: for the time of one apt-get run\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d > /dev/null
    as_root chmod 755 /usr/sbin/policy-rc.d
}
allow_service_starts() {
    if grep -qs 'mcuota: for the time of one apt-get run' /usr/sbin/policy-rc.d; then as_root rm -f /usr/sbin/policy-rc.d; fi
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
        forbid_service_starts
        # shellcheck disable=SC2046
        as_root apt-get -q install -y --no-install-recommends $(sed 's/#.*//' "$root/tests/peers.list")
        as_root apt-get -q build-dep -y --no-install-recommends "$root"
    } > "$log" 2>&1 || { allow_service_starts; tail -n 40 "$log" >&2; say "installing failed"; exit 1; }
    allow_service_starts
    rm -f "$log"
    echo "$wanted" | as_root tee "$stamp" > /dev/null
}

# A compiler cache, when there is one, is shared by all presets and by repeated runs.
if command -v ccache > /dev/null 2>&1; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi

# configure_and_build PRESET [BUILD OPTIONS...]
configure_and_build() {
    local preset=$1
    shift
    (cd "$root" && cmake --preset "$preset" > "$root/.configure.$preset.log" 2>&1) ||
        { cat "$root/.configure.$preset.log" >&2; exit 1; }
    rm -f "$root/.configure.$preset.log"
    (cd "$root" && cmake --build --preset "$preset" --parallel "$jobs" "$@")
}
