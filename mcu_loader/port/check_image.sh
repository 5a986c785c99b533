#!/bin/sh
# Says how much flash and RAM a firmware image takes and fails when it is too much or when it contains what freestanding
# code must not: heap, exceptions, locale-sized surprises of the C library.
#   check_image.sh IMAGE.elf REPORT [FLASH_MAX [RAM_MAX]]      (bytes)
set -eu
elf=${1:?usage: check_image.sh IMAGE.elf REPORT [FLASH_MAX [RAM_MAX]]}
report=${2:?usage: check_image.sh IMAGE.elf REPORT [FLASH_MAX [RAM_MAX]]}
flash_max=${3:-0}
ram_max=${4:-0}
name=$(basename "$elf" .elf)

# Berkeley format: text (with constants), data, bss (the stack is a section of its own and counts as bss).
set -- $(arm-none-eabi-size --format=berkeley "$elf" | tail -n 1)
flash=$(($1 + $2))
ram=$(($2 + $3))
printf '{"name":"%s","flash_bytes":%d,"flash_max":%d,"ram_bytes":%d,"ram_max":%d}\n' \
    "$name" "$flash" "$flash_max" "$ram" "$ram_max" > "$report"
printf '%s: flash %d bytes%s, RAM %d bytes%s, stack included\n' "$name" \
    "$flash" "$([ "$flash_max" -eq 0 ] || echo " of $flash_max")" \
    "$ram" "$([ "$ram_max" -eq 0 ] || echo " of $ram_max")"

status=0
[ "$flash_max" -eq 0 ] || [ "$flash" -le "$flash_max" ] || { echo "$name: too much flash" >&2; status=1; }
[ "$ram_max" -eq 0 ] || [ "$ram" -le "$ram_max" ] || { echo "$name: too much RAM" >&2; status=1; }
for symbol in malloc _malloc_r _sbrk __cxa_throw _Unwind_Resume __cxa_guard_acquire vsnprintf; do
    if arm-none-eabi-nm "$elf" | grep -q " [TtWw] $symbol\$"; then
        echo "$name: contains $symbol" >&2
        status=1
    fi
done
[ "$status" -eq 0 ] || rm -f "$elf"    # nobody shall take it for a good one
exit $status
