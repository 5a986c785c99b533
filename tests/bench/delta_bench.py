"""Delta sizes on real firmware pairs beside Debian's bsdiff, xdelta3 and xz; time, memory and decoder work."""

import json
import math
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.report import Figure, at_most, note
from rig.board import build_dir

# Most bytes of our format for pairs that are known by name.
SIZE_BUDGETS = {"duetwifi-119rc5-rc7": 9600, "pybv11-110-1f5d945": 20300}
# HDiffPatch's own single-stream LZMA results (step 64 KiB).
HDIFFZ_BYTES = {"duetwifi-119rc5-rc7": 20095, "pybv11-110-1f5d945": 35638}


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


def figures(old, new):
    out = subprocess.run([build_dir() / "bin" / "delta_figures", old, new], check=True, capture_output=True, text=True).stdout
    return {row["format"]: row for row in map(json.loads, out.splitlines())}


def peak_memory_bytes(old, new):
    """Resident memory of making all three deltas, in a process of its own."""
    process = subprocess.Popen([build_dir() / "bin" / "delta_figures", old, new], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * 1024


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
    sizes["xz"] = len(subprocess.run(["xz", "-9e", "--stdout", new], check=True, capture_output=True).stdout)
    return sizes


def decoder_instructions(old, new, folder, format_name, function):
    """Instructions (of this machine) from the decoder's call to its return, counted by Valgrind."""
    tool = build_dir() / "bin" / "delta_figures"
    delta, image = folder / "pair.delta", folder / "pair.bin"
    subprocess.run([tool, old, new, format_name, delta], check=True, stdout=subprocess.DEVNULL)
    report = subprocess.run(["valgrind", "--tool=callgrind", f"--toggle-collect=*{function}*",
                             f"--callgrind-out-file={folder / 'callgrind'}", tool, old, delta, image],
                            check=True, capture_output=True, text=True).stderr
    if image.read_bytes() != Path(new).read_bytes():
        raise RuntimeError(f"{format_name}: the delta did not come back")
    return int(re.search(r"Collected : (\d+)", report).group(1))


def run():
    ratios = []
    for name, old, new in pairs():
        image_bytes = Path(new).stat().st_size
        made = figures(old, new)
        ours, single = made["mcuota"], made["hdiffsf20"]
        with tempfile.TemporaryDirectory(prefix="mcuota-bench-") as temporary:
            folder = Path(temporary)
            if name in SIZE_BUDGETS:
                yield at_most(f"delta_{name}", ours["bytes"], "bytes", SIZE_BUDGETS[name])
            for peer, size in peer_sizes(old, new, folder).items():
                yield Figure(f"delta_{name}_{peer}", ours["bytes"], "bytes", peer, size, 1.0)
            yield Figure(f"delta_{name}_hdiffsf20", ours["bytes"], "bytes", "our HDIFFSF20", single["bytes"], 1.0)
            ratios.append(ours["bytes"] / HDIFFZ_BYTES.get(name, single["bytes"]))
            if name in HDIFFZ_BYTES:
                yield Figure(f"hdiffsf20_{name}", single["bytes"], "bytes", "hdiffz", HDIFFZ_BYTES[name], 1.0)
            yield at_most(f"delta_{name}_make", ours["seconds"], "s", 2)
            yield at_most(f"delta_{name}_make_memory", peak_memory_bytes(old, new), "bytes", 300 << 20)
            yield at_most(f"delta_{name}_decoder_memory", ours["memory_bytes"], "bytes", 64 << 10)
            yield at_most(f"hdiffsf20_{name}_decoder_memory", single["memory_bytes"], "bytes", 48 << 10)
            if shutil.which("valgrind"):
                count = decoder_instructions(old, new, folder, "mcuota", "decode_relocated")
                yield at_most(f"delta_{name}_decode", count / image_bytes, "instr/byte", 60)
            else:
                note("delta: valgrind is not installed: decoder instructions are not counted")
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    yield at_most("delta_geometric_mean_to_hdiff", mean, "x", 0.65)
