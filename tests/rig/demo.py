"""The main job end to end, told while it happens (scripts/demo): two boards, a real broker, a real HTTPS server.

Every sentence printed after a step is checked first; the first thing that is not so ends the demo with exit code 1.
"""

import argparse
import hashlib
import json
import shutil
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .board import build_dir
from .plant import Plant, firmware
from .watch import FINISHED, Watch

BOARDS = {"pump-1": 115200, "pump-2": 460800}
BAR = "─" * 78


def say(text=""):
    print(text, flush=True)


def head(number, text):
    say(f"\n{BAR}\n {number}. {text}\n{BAR}")


def check(truth, text):
    if not truth:
        raise AssertionError("not so: " + text)
    say(f"  ✓ {text}")


def of(jobs, device, version):
    """The newest job of a device for a version."""
    found = [j for j in jobs.values() if j["device"] == device and j["to_version"] == version]
    return max(found, key=lambda j: j["id"]) if found else None


def percent_of(job):
    return int((job.get("progress") or {}).get("percent") or 0)


def provision(plant):
    head(1, "Two blank boards get version 1.0.0 over their serial lines (mcuota-pack, mcuota-flash)")
    v1 = plant.package("pump-1.0.0.mcup", firmware("demo-v1.bin"), "1.0.0")
    say(plant.tool_text("mcuota-pack", "inspect", v1))
    for name in BOARDS:
        before = plant.info(name)
        check(before["role"] == "loader", f"{name}: the loader answers, no application yet")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: plant.flash(name, "push", v1), BOARDS))
    for name in BOARDS:
        check(plant.holds(name, firmware("demo-v1.bin")), f"{name}: exactly the bytes of demo-v1.bin lie at 0x08020000")


def connect(plant):
    head(2, "mcuotad connects to the cloud and brings both devices online (MQTT over TLS, passwords, access lists)")
    plant.start_daemon()
    for name in BOARDS:
        plant.cloud.wait_online(plant.device(name))
        plant.cloud.wait_version(plant.device(name), "1.0.0")
        check(True, f"{name}: logged in at the cloud and reported version 1.0.0")
    say(plant.daemon.cli("device", "list", check=True).stdout)


def kill_and_restart(plant, why):
    say(f"  ✗ kill -9 {plant.daemon.process.pid}: {why}")
    plant.daemon.kill()
    plant.daemon.start()
    say("  … mcuotad started again")


def make_updates(plant):
    """The package of each board: pump-1 gets the full image, pump-2 one that also holds the difference to version 1.0.0."""
    files = {"pump-1": plant.package("pump-2.0.0-full.mcup", firmware("demo-v2.bin"), "2.0.0"),
             "pump-2": plant.package("pump-2.0.0.mcup", firmware("demo-v2.bin"), "2.0.0", base=f"{firmware('demo-v1.bin')}@1.0.0")}
    say(plant.tool_text("mcuota-pack", "inspect", files["pump-2"]))
    for file in files.values():
        plant.web.put(file.name, file.read_bytes())
    return files


def tell_payloads(jobs):
    """Which payload each board was given: one the full image, one the difference."""
    full, delta = (of(jobs, name, "2.0.0")["payload"] for name in BOARDS)
    check(full["kind"] in ("raw", "lzma", "lzma-thumb"),
          f"pump-1 got the full image: {full['kind']}, {full['bytes']} bytes of payload")
    check(delta["kind"] in ("relocated", "hdiffsf20", "hdiff13") and delta["bytes"] < full["bytes"],
          f"pump-2 got the difference to what it ran: {delta['kind']}, {delta['bytes']} bytes of payload "
          f"({100 * delta['bytes'] / full['bytes']:.1f} % of the full one)")


def update(plant):
    head(3, "The cloud offers version 2.0.0, full to pump-1, differential to pump-2; the daemon is killed twice on the way")
    files = make_updates(plant)
    for name, file in files.items():
        plant.cloud.offer(plant.device(name), plant.web.sign(file.name, valid_s=3, place="slow"), "2.0.0", file.read_bytes())
    signed_at = time.monotonic()
    watch = Watch(plant)
    try:
        watch.wait(lambda jobs: all(of(jobs, n, "2.0.0") and of(jobs, n, "2.0.0")["state"] == "downloading" and
                                    (of(jobs, n, "2.0.0")["progress"]["bytes"] or 0) > files[n].stat().st_size // 4 for n in BOARDS),
                   20, "a quarter downloaded")
        watch.break_line()
        kill_and_restart(plant, "in the middle of the downloads")
        # The first addresses have expired meanwhile, as object stores' addresses do: fresh ones wait at the cloud.
        for name, file in files.items():
            plant.cloud.offers[(*plant.device(name), "")]["url"] = plant.web.sign(file.name, place="slow")
        watch.wait(lambda jobs: any((j := of(jobs, n, "2.0.0")) and j["state"] == "sending" and j["device"] == "pump-1" and
                                    15 <= percent_in_step(j) <= 90 for n in BOARDS), 60, "pump-1 in the middle of its transfer")
        held = of(watch.jobs, "pump-1", "2.0.0")["progress"]["bytes"]
        watch.break_line()
        kill_and_restart(plant, f"in the middle of the UART transfer to pump-1 ({held} bytes were acknowledged)")
        first = watch.wait(lambda jobs: (j := of(jobs, "pump-1", "2.0.0")) and
                           (j["state"] in ("installing", "trial", "succeeded") or
                            (j["state"] == "sending" and j["progress"]["bytes"] > 0)) and j, 30, "the transfer going on")
        resumed_bytes = first["progress"]["bytes"]
        watch.wait(lambda jobs: all((j := of(jobs, n, "2.0.0")) and j["state"] in FINISHED for n in BOARDS), 90, "both ended")
    finally:
        watch.close()
    watch.break_line()
    partial = [line for line in plant.web.requests() if '" 206 ' in line]
    refused = [line for line in plant.web.requests() if '" 403 ' in line]
    check(len(partial) >= 1, f"downloads went on where they were: {len(partial)} partial request(s) (206) in the web server's log")
    if time.monotonic() - signed_at > 3 and refused:
        check(True, f"{len(refused)} expired address(es) were refused (403) and fresh ones asked for at the cloud")
    check(first["state"] != "sending" or resumed_bytes * 4 >= held * 3 or resumed_bytes >= 4096,
          f"the transfer to pump-1 went on where the board proved to be ({resumed_bytes} bytes), not at 0")
    tell_payloads(watch.jobs)
    for name in BOARDS:
        job = of(watch.jobs, name, "2.0.0")
        check(job["state"] == "succeeded", f"{name}: job {job['id']} succeeded")
        check(plant.holds(name, firmware("demo-v2.bin")), f"{name}: exactly the bytes of demo-v2.bin lie at 0x08020000")
        plant.cloud.wait_version(plant.device(name), "2.0.0")
        check(True, f"{name}: the cloud heard version 2.0.0, from the board's own report")


def percent_in_step(job):
    progress = job["progress"]
    return 100 * (progress["bytes"] or 0) // max(1, progress["bytes_total"] or 1)


def go_back(plant):
    head(4, "Version 2.1.0 never confirms itself: pump-1 goes back by itself")
    bad = plant.package("pump-2.1.0.mcup", firmware("demo-never-confirms.bin"), "2.1.0")
    plant.web.put("pump-2.1.0.mcup", bad)
    plant.cloud.offer(plant.device("pump-1"), plant.web.sign("pump-2.1.0.mcup"), "2.1.0", bad.read_bytes())
    watch = Watch(plant)
    try:
        job = watch.wait(lambda jobs: (j := of(jobs, "pump-1", "2.1.0")) and j["state"] in FINISHED and j, 90, "the end of job 2.1.0")
    finally:
        watch.close()
    check(job["state"] == "failed", f"job {job['id']} failed: {job['error']['message']}")
    check(plant.holds("pump-1", firmware("demo-v2.bin")), "pump-1: exactly the bytes of demo-v2.bin lie at 0x08020000 again")
    plant.cloud.wait_step(plant.device("pump-1"), lambda step: step < 0, timeout=20)
    check(True, "the cloud was told of the failure")
    plant.cloud.wait_version(plant.device("pump-1"), "2.0.0", timeout=20)
    say(plant.daemon.cli("job", "show", job["id"], check=True).stdout)


def look(plant):
    head(5, "What the gateway says (mcuota status) and what the boards say themselves (mcuota-flash info)")
    say(plant.daemon.cli("status", check=True).stdout)
    check(plant.daemon.stop() == 0, "mcuotad ended cleanly on SIGTERM")
    for name, how in zip(BOARDS, ("full", "differential")):
        info = plant.info(name)
        say(f"  {name}: " + json.dumps(info["running"]))
        wanted = hashlib.sha256(firmware("demo-v2.bin").read_bytes()).hexdigest()
        check(info["running"]["version"] == "2.0.0" and info["running"]["state"] == "confirmed" and
              info["running"]["sha256"] == wanted,
              f"{name}: says it runs 2.0.0, confirmed, with the SHA-256 of demo-v2.bin, after the {how} update")


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description="The main job end to end, without hardware.")
    parser.add_argument("--cloud", choices=["aliyun"], default="aliyun", help="whose protocol the cloud speaks")
    parser.add_argument("--keep", action="store_true", help="keep the folder build/demo (logs, images, database)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(build_dir()) / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    try:
        # About 6 s for one download, so that there is a middle to be killed in.
        size = len(firmware("demo-v2.bin").read_bytes())
        with Plant(folder, BOARDS, slow_rate=str(max(1024, size // 6))) as plant:
            for act in (provision, connect, update, go_back, look):
                act(plant)
    except (AssertionError, OSError, RuntimeError, KeyError, ValueError) as problem:
        say(f"\n  ✗ {problem}\n\nThe demo failed. Logs, images and the database are in {folder}")
        return 1
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    say(f"\nAll of it happened, in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
