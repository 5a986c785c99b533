"""mcuotad at rest with 64 devices, and its start and `mcuota job list` with 100,000 jobs of history."""

import os
import re
import socket
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

from bench.report import at_most
from rig.board import build_dir
from rig.daemon import Daemon
from rig.plant import firmware

HISTORY = 100_000


def devices(count):
    return [{"name": f"pump-{i}", "hardware": "stm32f429-demo", "link": f"uart:/dev/nonexistent-{i}:115200"} for i in range(count)]


def fill_history(database):
    """100,000 finished jobs with four transitions each, as the daemon itself would have left them."""
    db = sqlite3.connect(database)
    columns = [(row[1], row[2], row[3], row[4]) for row in db.execute("PRAGMA table_info(jobs)")]
    known = {"state": 7, "resume_state": 0, "to_version": "2.0.0", "from_version": "1.0.0", "hardware": "stm32f429-demo",
             "attempts": 1, "error_code": None}
    names = [name for name, _, _, _ in columns if name != "id"]

    def row(i):
        at = 1_700_000_000_000 + i * 1000
        values = []
        for name, kind, _, _ in columns:
            if name == "id":
                continue
            if name == "device":
                values.append(f"pump-{i % 64}")
            elif name in known:
                values.append(known[name])
            elif name.endswith("_at_ms"):
                values.append(at)
            else:
                values.append(0 if kind == "INTEGER" else "")
        return values

    with db:
        db.executemany(f"INSERT INTO jobs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", map(row, range(HISTORY)))
        db.executemany("INSERT INTO transitions (job, at_ms, from_state, to_state, reason) VALUES (?, ?, ?, ?, '')",
                       ((job, 1_700_000_000_000, state, state + 1) for job in range(1, HISTORY + 1) for state in range(4)))
    db.close()


def start_until_ready(daemon):
    """Milliseconds from exec to READY=1 on the notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = str(daemon.folder / "notify")
        Path(path).unlink(missing_ok=True)
        notify.bind(path)
        notify.settimeout(30)
        os.environ["NOTIFY_SOCKET"] = path
        try:
            begin = time.monotonic()
            daemon.start(wait=False)
            while b"READY=1" not in notify.recv(4096):
                pass
            return (time.monotonic() - begin) * 1000
        finally:
            del os.environ["NOTIFY_SOCKET"]


def memory(pid, key="VmRSS"):
    return int(re.search(rf"^{key}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M).group(1)) * 1024


def wake_ups(pid):
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M).group(1))
    return total


def run():
    with tempfile.TemporaryDirectory(prefix="mcuota-bench-") as name:
        config = {"keys": {"trusted": [str(firmware("dev-key.pub.pem"))]}, "device": devices(64)}
        with Daemon(Path(name), config) as daemon:
            time.sleep(5)    # a measurement of rest: nothing to await, the devices that are not there have been tried
            before = wake_ups(daemon.process.pid)
            time.sleep(10)
            woken = wake_ups(daemon.process.pid) - before
            yield at_most("daemon_rss_64_devices", memory(daemon.process.pid), "bytes", 16 << 20)
            yield at_most("daemon_wakeups_10s_at_rest", woken, "wake-ups", 1, "budget; 0 polling")
            daemon.stop()
            fill_history(next(daemon.state.glob("*.db*")))
            yield at_most("daemon_start_to_ready", min(start_and_stop(daemon) for _ in range(3)), "ms", 150)
            daemon.start()
            command = [build_dir() / "bin" / "mcuota", "--socket", daemon.socket, "job", "list", "--json"]
            times = []
            for _ in range(5):
                begin = time.monotonic()
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
                times.append((time.monotonic() - begin) * 1000)
            yield at_most("cli_job_list_100k", min(times), "ms", 50)


def start_and_stop(daemon):
    took = start_until_ready(daemon)
    daemon.stop()
    return took
