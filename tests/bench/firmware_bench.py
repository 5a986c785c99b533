"""Loader size and RAM, from the linker's own account of the shipped binary."""

import json

from bench.report import at_most
from rig.board import build_dir


def run():
    size = json.loads((build_dir() / "firmware" / "loader.size").read_text())
    yield at_most("loader_flash", size["flash_bytes"], "bytes", 64 * 1024)
    yield at_most("loader_ram", size["ram_bytes"], "bytes", 128 * 1024, "budget, stack and dictionary included")
