"""Time of one update on the board's own clock, from the first byte to the confirmed image, against the sum of what the
line and the memories must take at data-sheet typical times (the chip's fact sheet, section 10)."""

import json
import random
import tempfile
from pathlib import Path

from bench.report import Figure
from rig.board import Board
from rig.plant import HARDWARE, firmware, run_tool

SECTOR = 128 << 10


def physical_bound_s(baud, sent, old, new):
    """Seconds nothing can beat: line and NOR writing overlap; everything after the transfer follows in turn."""
    pages = (new + 255) // 256
    nor_write = pages * 0.7e-3 + sent / (22.5e6 / 8) + ((sent + 0xFFFF) >> 16) * 0.150
    line = max(sent * 10 / baud, nor_write)
    check = sent / 1.9e6 + 0.1 + 0.1                          # NOR read and hash, signature twice (before and after the reset)
    backup = (old + 255) // 256 * 0.7e-3 + ((old + 0xFFFF) >> 16) * 0.150 + old / 2.8e6
    erase = (max(old, new) + SECTOR - 1) // SECTOR * 1.0
    program = new / 4 * 16e-6
    hashes = 3 * new * 45 / 130e6                             # rehearsal, verification, boot check
    return line + check + backup + erase + program + hashes


def run():
    with tempfile.TemporaryDirectory(prefix="mcuota-bench-") as name:
        folder = Path(name)
        old = folder / "old.bin"
        old.write_bytes(firmware("demo-v1.bin").read_bytes())
        new = folder / "new.bin"
        demo = firmware("demo-v2.bin").read_bytes()
        new.write_bytes(demo + random.Random(1).randbytes((512 << 10) - len(demo)))
        for image, version in ((old, "1.0.0"), (new, "2.0.0")):
            run_tool("mcuota-pack", "create", "--image", image, "--version", version, "--hardware", HARDWARE, "--key",
                     firmware("dev-key.pem"), "--out", image.with_suffix(".mcup"))
        for baud in (460800, 921600):
            with Board(folder / f"board-{baud}") as board:
                link = ("--link", f"{board.link}:{baud}")
                run_tool("mcuota-flash", *link, "push", old.with_suffix(".mcup"))
                begin = board.status()
                done = json.loads(run_tool("mcuota-flash", *link, "push", new.with_suffix(".mcup"), "--json").stdout)
                seconds = (board.status()["time_ms"] - begin["time_ms"]) / 1000
            bound = physical_bound_s(baud, done["bytes_sent"], old.stat().st_size, new.stat().st_size)
            yield Figure(f"update_512k_full_{baud}", seconds, "s", "physical bound", bound, 1.15)
