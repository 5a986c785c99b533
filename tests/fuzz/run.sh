#!/usr/bin/env bash
# Fuzzes one target for a bounded time, from seeds, kept corpus and regression inputs.
#   tests/fuzz/run.sh TARGET BUILD_FOLDER      MCUOTA_FUZZ_SECONDS (default 5) bounds the time
# A finding is left in BUILD_FOLDER/fuzz/TARGET/findings; mend it and keep the input in tests/fuzz/regressions/TARGET.
set -euo pipefail
target=${1:?usage: run.sh TARGET BUILD_FOLDER}
build=${2:?usage: run.sh TARGET BUILD_FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
folder=$build/fuzz/$target
mkdir -p "$folder/corpus" "$folder/findings"
[ -d "$build/fuzz/seeds/$target" ] || "$build/bin/write_seeds" "$build/fuzz/seeds"
inputs=("$folder/corpus" "$build/fuzz/seeds/$target")
[ ! -d "$here/regressions/$target" ] || inputs+=("$here/regressions/$target")
dictionary=()
[ ! -e "$here/dictionaries/$target.dict" ] || dictionary=(-dict="$here/dictionaries/$target.dict")
exec "$build/bin/fuzz_$target" -max_total_time="${MCUOTA_FUZZ_SECONDS:-5}" -timeout=10 -rss_limit_mb=1024 -max_len=8192 \
    -print_final_stats=1 -verbosity=0 -artifact_prefix="$folder/findings/" "${dictionary[@]}" "${inputs[@]}"
