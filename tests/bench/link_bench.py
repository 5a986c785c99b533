"""Link efficiency: payload bytes per byte time of the line, while a real transfer to the loader on the virtual board is
under way, on the board's own clock, against the line's own speed (8N1: one byte is ten bits)."""

import json
import random
import tempfile
import threading
from pathlib import Path

from bench.report import Figure
from rig.board import Board
from rig.plant import HARDWARE, firmware, run_tool
from rig.process import wait_until


def steady_rate(board, link, package, size):
    """Payload bytes per second of board time between the first and the last tenth of the transfer."""
    outcome = {}

    def push():
        outcome["done"] = json.loads(run_tool("mcuota-flash", "--link", link, "push", package, "--json").stdout)

    def sample(share):
        """(milliseconds, bytes received) once that share of the payload has passed the wire."""
        def reached():
            status = board.status()
            received = status["uart"]["received"]
            return (status["time_ms"], received) if received >= start + size * share else None
        return wait_until(reached, timeout=120, what=f"{share:.0%} of the transfer")

    start = board.status()["uart"]["received"]
    pushing = threading.Thread(target=push)
    pushing.start()
    begin, end = sample(0.1), sample(0.9)
    board_rate = (end[1] - begin[1]) / (end[0] - begin[0]) * 1000
    sample(1.0)
    pushing.join()
    # Of the bytes on the wire, what share was payload: frames, checksums and escapes are not.
    sent = outcome["done"]["bytes_sent"]
    on_wire = board.status()["uart"]["received"] - start
    return board_rate * min(1.0, sent / on_wire)


def run():
    with tempfile.TemporaryDirectory(prefix="mcuota-bench-") as name:
        folder = Path(name)
        demo = firmware("demo-v1.bin").read_bytes()
        for baud, size in ((115200, 96 << 10), (921600, 768 << 10)):
            image = folder / f"padded-{size}.bin"
            image.write_bytes(demo + random.Random(size).randbytes(size - len(demo)))
            package = image.with_suffix(".mcup")
            run_tool("mcuota-pack", "create", "--image", image, "--version", "1.0.0", "--hardware", HARDWARE, "--key",
                     firmware("dev-key.pem"), "--out", package)
            with Board(folder / f"board-{baud}") as board:
                rate = steady_rate(board, f"{board.link}:{baud}", package, int(size * 0.8))
            yield Figure(f"link_efficiency_{baud}", rate, "bytes/s", "line", baud / 10, 0.97, at_most=False)
