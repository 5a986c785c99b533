"""Instructions a payload's decoder takes on the virtual board: build/firmware/decode-meter.elf behind a job in flash."""

import struct
import tempfile
import time
from pathlib import Path

from rig.board import Board, build_dir

KINDS = {"lzma": 2, "lzma-thumb": 3, "hdiffsf20": 4, "hdiff13": 5, "mcuota": 6}
JOB_OFFSET = 0x20000          # of 0x08020000 in the flash image
FLASH_BYTES = 1 << 20


def _instructions(folder, kind, payload, base, image_bytes, rounds):
    job = struct.pack("<5I", rounds, KINDS[kind], image_bytes, len(payload), len(base)) + payload
    job += bytes(-len(job) % 4) + base
    if JOB_OFFSET + len(job) > FLASH_BYTES:
        raise ValueError("payload and base do not fit the chip's flash together")
    folder.mkdir()
    flash = bytearray(b"\xff" * FLASH_BYTES)
    flash[JOB_OFFSET:JOB_OFFSET + len(job)] = job
    (folder / "flash.img").write_bytes(flash)
    board = Board(folder, speed="max", options=["--load", build_dir() / "firmware" / "decode-meter.elf"])
    with board:
        deadline = time.monotonic() + 120
        while True:
            status = board.status()
            if status["resets"] > 1 or status["state"] == "lockup":
                raise RuntimeError(f"{kind}: the payload was not decoded on the board")
            if status["state"] == "sleeping":
                return status["instructions"]
            if time.monotonic() > deadline:
                raise RuntimeError(f"{kind}: the board does not come to an end")
            time.sleep(0.02)


def instructions(kind, payload, base, image_bytes):
    """ARM instructions of one decode: of a run that decodes once, less those of a run that does not."""
    with tempfile.TemporaryDirectory(prefix="mcuota-meter-") as folder:
        once = _instructions(Path(folder) / "once", kind, payload, base, image_bytes, 1)
        return once - _instructions(Path(folder) / "never", kind, payload, base, image_bytes, 0)
