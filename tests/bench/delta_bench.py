"""Delta sizes on real firmware pairs beside Debian's bsdiff, xdelta3 and xz; time, memory and decoder work."""

import json
import math
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench import decode_meter
from bench.report import Figure, at_most, note
from rig.board import build_dir

# Most bytes of our format for pairs that are known by name.
SIZE_BUDGETS = {"duetwifi-119rc5-rc7": 9600, "pybv11-110-1f5d945": 20300}
# HDiffPatch's own single-stream LZMA results (step 64 KiB), as published: its tool is no Debian package.
HDIFFZ_BYTES = {"duetwifi-119rc5-rc7": 20095, "pybv11-110-1f5d945": 35638}
# The image size creation time and memory are bounded for.
LARGE_BYTES = 860_000


def corpus():
    """Folders with old.bin and new.bin: MCUOTA_CORPUS, else a corpus/ beside or in the project."""
    root = Path(__file__).resolve().parents[2]
    for folder in (os.environ.get("MCUOTA_CORPUS"), root / "corpus", root.parent / "shared" / "corpus"):
        if folder and Path(folder).is_dir():
            return sorted(p for p in Path(folder).iterdir() if (p / "old.bin").exists() and (p / "new.bin").exists())
    return []


def pairs():
    for folder in corpus():
        yield folder.name, folder / "old.bin", folder / "new.bin"
    firmware = build_dir() / "firmware"
    yield "demo-v1-v2", firmware / "demo-v1.bin", firmware / "demo-v2.bin"
    yield "demo-v2-v1", firmware / "demo-v2.bin", firmware / "demo-v1.bin"


def large_pair(folder):
    """Two images of 860 KB: all pairs there are, one behind the other, as often as it takes."""
    halves = [b"", b""]
    while len(halves[0]) < LARGE_BYTES:
        for _, old, new in pairs():
            halves = [halves[0] + old.read_bytes(), halves[1] + new.read_bytes()]
    files = folder / "large-old", folder / "large-new"
    for file, content in zip(files, halves):
        file.write_bytes(content[:LARGE_BYTES])
    return files


def figures(old, new):
    out = subprocess.run([build_dir() / "bin" / "delta_figures", old, new], check=True, capture_output=True, text=True).stdout
    return {row["format"]: row for row in map(json.loads, out.splitlines())}


def making(format_name, old, new, folder):
    """Seconds of one core, and resident memory, of a process of its own for one delta."""
    process = subprocess.Popen([build_dir() / "bin" / "delta_figures", old, new, format_name, folder / "made"],
                               stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def peer_sizes(old, new, folder):
    """Bytes the tools people already have need for the same pair."""
    commands = {"bsdiff": ["bsdiff", old, new, folder / "out.bsdiff"],
                "xdelta3": ["xdelta3", "-9", "-S", "lzma", "-f", "-e", "-s", old, new, folder / "out.xdelta3"]}
    sizes = {}
    for name, command in commands.items():
        if shutil.which(name):
            subprocess.run(command, check=True)
            sizes[name] = (folder / f"out.{name}").stat().st_size
        else:
            note(f"delta: {name} is not installed: not compared with it")
    sizes["xz"] = xz_bytes(new, "xz")
    return sizes


def xz_bytes(file, form):
    """The whole image as xz packs it."""
    return len(subprocess.run(["xz", "-9e", f"--format={form}", "--stdout", file], check=True, capture_output=True).stdout)


def board_instructions(format_name, old, new, folder):
    """ARM instructions a byte of the image, counted by the virtual board."""
    made = folder / "metered"
    out = subprocess.run([build_dir() / "bin" / "delta_figures", old, new, format_name, made], check=True,
                         capture_output=True, text=True).stdout
    base = b"" if format_name == "full" else old.read_bytes()
    size = new.stat().st_size
    return decode_meter.instructions(json.loads(out)["kind"], made.read_bytes(), base, size) / size


def pair_figures(name, old, new, folder):
    made = figures(old, new)
    ours, single, full = made["mcuota"], made["hdiffsf20"], made["full"]
    if name in SIZE_BUDGETS:
        yield at_most(f"delta_{name}", ours["bytes"], "bytes", SIZE_BUDGETS[name])
    for peer, size in peer_sizes(old, new, folder).items():
        yield Figure(f"delta_{name}_{peer}", ours["bytes"], "bytes", peer, size, 1.0)
    yield Figure(f"delta_{name}_hdiffsf20", ours["bytes"], "bytes", "our HDIFFSF20", single["bytes"], 1.0)
    if name in HDIFFZ_BYTES:
        yield Figure(f"hdiffsf20_{name}", single["bytes"], "bytes", "hdiffz", HDIFFZ_BYTES[name], 1.0)
        yield Figure(f"full_{name}", full["bytes"], "bytes", "xz --format=lzma -9e", xz_bytes(new, "lzma"), 0.96)
    yield at_most(f"delta_{name}_decoder_memory", ours["memory_bytes"], "bytes", 64 << 10)
    yield at_most(f"hdiffsf20_{name}_decoder_memory", single["memory_bytes"], "bytes", 48 << 10)
    yield at_most(f"delta_{name}_decode", board_instructions("mcuota", old, new, folder), "instr/byte", 60, "on the board")
    yield at_most(f"full_{name}_decode", board_instructions("full", old, new, folder), "instr/byte", 200, "on the board")


def run():
    ratios = []
    with tempfile.TemporaryDirectory(prefix="mcuota-bench-") as temporary:
        folder = Path(temporary)
        for name, old, new in pairs():
            yield from pair_figures(name, old, new, folder)
            made = figures(old, new)
            ratios.append(made["mcuota"]["bytes"] / HDIFFZ_BYTES.get(name, made["hdiffsf20"]["bytes"]))
        for format_name in ("mcuota", "hdiffsf20", "hdiff13"):
            seconds, memory = making(format_name, *large_pair(folder), folder)
            yield at_most(f"{format_name}_860k_make", seconds, "s", 2)
            yield at_most(f"{format_name}_860k_make_memory", memory, "bytes", 300 << 20)
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    yield at_most("delta_geometric_mean_to_hdiff", mean, "x", 0.65)
