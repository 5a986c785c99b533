"""Updates of a running device with a 512 KiB image on the board's own clock: time from the gateway's first byte to the
confirmed image, downtime (application not running), share of the line that is used, and the time of a start."""

import json
import random
import shutil
import tempfile
import threading
from pathlib import Path

from bench.report import Figure, at_most
from rig import crafted
from rig.board import Board
from rig.plant import HARDWARE, firmware, run_tool
from rig.process import wait_until

IMAGE_BYTES = 512 << 10
SECTOR_BYTES = 128 << 10
APPLICATION = "0x08020000"
BAUDS = (115200, 460800, 921600)
# What line and memories must take at data-sheet typical times, in seconds at each of BAUDS (docs/update-speed.md).
BOUNDS_S = {"full_uncompressed": (55, 21, 15), "full_lzma": (35, 16.5, 13.5), "delta_5_percent": (12, 10.5, 10),
            "delta_1_sector": (5, 3.5, 3)}
DOWNTIME_SMALL_DELTA_S = 3.5
# The board's clock is its own, but what the gateway takes to answer passes on it, too. The host can only add to that:
# of short updates, where it counts, the quickest of a few is taken.
SHORT_S, SHORT_TRIES = 5, 3
QUIET_MS = 1500


def random_bytes(size, seed):
    return random.Random(seed).randbytes(size)


def padded(program, seed):
    return program + random_bytes(IMAGE_BYTES - len(program), seed)


def changed(image, offsets, size):
    """`image` with `size` other bytes at each of `offsets`."""
    out = bytearray(image)
    for offset in offsets:
        out[offset:offset + size] = random_bytes(size, offset)
    return bytes(out)


def half_compressible(program):
    """A program followed by what LZMA packs to about 55 %: random bytes and repeated ones in turn."""
    out = program
    while len(out) < IMAGE_BYTES:
        out += random_bytes(512, len(out)) + bytes(range(64)) * 7
    return out[:IMAGE_BYTES]


def cases(old):
    """(name, new image, whether it is sent as a delta)."""
    v2 = firmware("demo-v2.bin").read_bytes()
    everywhere = [sector + at for sector in range(0, IMAGE_BYTES, SECTOR_BYTES) for at in (68 << 10, 84 << 10, 100 << 10, 116 << 10)]
    yield "full_uncompressed", padded(v2, 1), False
    yield "full_lzma", half_compressible(v2), False
    yield "delta_5_percent", changed(old, everywhere, 1600), True
    yield "delta_1_sector", changed(old, [300 << 10], 2000), True


def make_package(folder, name, image, version, base=None):
    file, out = folder / f"{name}.bin", folder / f"{name}.mcup"
    file.write_bytes(image)
    if name == "full_uncompressed":  # the pack tool would find the last percent there is to save
        out.write_bytes(crafted.signed_package(image, version, HARDWARE, firmware("dev-key.pem")))
        return out
    delta = ("--base", f"{base}@1.0.0", "--no-full") if base else ()
    run_tool("mcuota-pack", "create", "--image", file, "--version", version, "--hardware", HARDWARE, "--key",
             firmware("dev-key.pem"), "--out", out, *delta)
    return out


def wait_quiet(board):
    """Until the application has nothing more to write: the next backup is made."""
    seen = {"nor": None, "since": 0}

    def quiet():
        status = board.status()
        if status["nor"]["page_programs"] != seen["nor"] or status["vtor"] != APPLICATION:
            seen.update(nor=status["nor"]["page_programs"], since=status["time_ms"])
        return status["time_ms"] - seen["since"] >= QUIET_MS
    wait_until(quiet, timeout=300, what="a quiet application")


class Watch:
    """Samples the board while something happens to it."""

    def __init__(self, board):
        self._board, self._end = board, threading.Event()
        self.samples = []
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._end.wait(0.005):
            status = self._board.status()
            self.samples.append((status["time_ms"], status["vtor"] == APPLICATION, status["uart"]["received"]))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def downtime_s(self):
        """From the last sample of the old application to the first of the new one."""
        down = next(i for i, sample in enumerate(self.samples) if not sample[1])
        up = next(i for i in range(down, len(self.samples)) if self.samples[i][1])
        return (self.samples[up][0] - self.samples[max(down - 1, 0)][0]) / 1000

    def line_rate(self, total):
        """Bytes a second on the line between the first and the last tenth of `total`."""
        start = self.samples[0][2]
        inside = [s for s in self.samples if start + total * 0.1 <= s[2] <= start + total * 0.9]
        return (inside[-1][2] - inside[0][2]) / (inside[-1][0] - inside[0][0]) * 1000


def copy_of(seed, folder):
    """A board with the memories of another one that stands still."""
    folder.mkdir()
    for file in seed.glob("*.img*"):
        shutil.copy(file, folder)
    return Board(folder)


def start_time_s(board):
    """From a reset to the application, on a board that runs."""
    with Watch(board) as watch:
        begin = board.status()["time_ms"]
        board.command("reset")
        wait_until(lambda: board.status()["vtor"] == APPLICATION and board.status()["time_ms"] > begin + 100, timeout=30,
                   what="the application")
    return watch.downtime_s()


def push_once(seed, folder, package, baud):
    """(seconds, what the board did meanwhile, the tool's report) of one update of a board like `seed`."""
    with copy_of(seed, folder) as board:
        wait_quiet(board)
        with Watch(board) as watch:
            begin = board.status()["time_ms"]
            done = json.loads(run_tool("mcuota-flash", "--link", f"{board.link}:{baud}", "push", package, "--json").stdout)
            seconds = (board.status()["time_ms"] - begin) / 1000
    shutil.rmtree(folder)
    return seconds, watch, done


def run():
    with tempfile.TemporaryDirectory(prefix="mcuota-bench-") as name:
        folder = Path(name)
        old = padded(firmware("demo-v1.bin").read_bytes(), 7)
        first = make_package(folder, "old", old, "1.0.0")
        with Board(folder / "seed") as board:
            run_tool("mcuota-flash", "--link", f"{board.link}:921600", "push", first)
            wait_quiet(board)
            yield at_most("boot_512k", start_time_s(board) * 1000, "ms", 300, "budget, signature and hash of the image included")
            board.stop()
        for case, image, is_delta in cases(old):
            package = make_package(folder, case, image, "2.0.0", folder / "old.bin" if is_delta else None)
            for baud, bound in zip(BAUDS, BOUNDS_S[case]):
                pushes = [push_once(folder / "seed", folder / f"{case}-{baud}", package, baud)
                          for _ in range(SHORT_TRIES if bound <= SHORT_S else 1)]
                seconds, watch, done = min(pushes, key=lambda push: push[0])
                yield Figure(f"update_{case}_{baud}", seconds, "s", "physical bound", bound, 1.15)
                downtime = watch.downtime_s()
                if case == "delta_1_sector":
                    yield at_most(f"downtime_{case}_{baud}", downtime, "s", DOWNTIME_SMALL_DELTA_S)
                else:
                    yield Figure(f"downtime_{case}_{baud}", downtime, "s", "update", seconds, 1.0)
                if case == "full_uncompressed":
                    yield Figure(f"line_use_{baud}", watch.line_rate(done["bytes_sent"]), "bytes/s", "line", baud / 10, 0.97,
                                 at_most=False)
