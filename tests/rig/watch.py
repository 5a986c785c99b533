"""Live progress of mcuotad's jobs for a person: bars on a terminal, a line at every change elsewhere."""

import sys
import threading
import time

FINISHED = ("succeeded", "failed", "cancelled")


class Watch:
    """Polls the daemon's API in a thread, shows what it hears and wakes those who wait for a condition."""

    def __init__(self, plant, out=sys.stdout):
        self._plant = plant
        self._out = out
        self._live = out.isatty()
        self._shown = {}
        self._drawn = 0
        self.jobs = {}
        self._news = threading.Condition()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._end.is_set():
            try:
                jobs = self._plant.daemon.get("/v1/jobs")
                jobs = jobs if isinstance(jobs, list) else jobs.get("jobs", [])
            except Exception:    # the daemon is being killed and started: nothing to show meanwhile
                jobs = None
            if jobs is not None:
                with self._news:
                    self.jobs = {job["id"]: job for job in jobs}
                    self._news.notify_all()
                self._show()
            self._end.wait(0.05)

    def wait(self, condition, timeout, what):
        """Value of condition(jobs by id) once it is true."""
        end = time.monotonic() + timeout
        with self._news:
            while True:
                value = condition(self.jobs)
                if value:
                    return value
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"{what} did not happen within {timeout:g} s; jobs: {self.jobs}")
                self._news.wait(left)

    def close(self):
        self._end.set()
        self._thread.join(5)

    def _show(self):
        lines = []
        for job in sorted(self.jobs.values(), key=lambda j: j["id"]):
            progress = job.get("progress") or {}
            percent = int(progress.get("percent") or 0)
            key = (job["state"], progress.get("step"), percent // 20)
            rate = progress.get("bytes_per_second") or 0
            text = f"  job {job['id']:<3} {job['device']:<8} {job['to_version']:<8} {job['state']:<11} "
            if job["state"] in FINISHED:
                error = job.get("error") or {}
                text += error.get("message", "") if job["state"] != "succeeded" else ""
            else:
                text += "█" * (percent // 5) + "·" * (20 - percent // 5) + f" {percent:3d} %"
                text += f"  {rate / 1000:.1f} kB/s" if rate else ""
            lines.append(text)
            if not self._live and self._shown.get(job["id"]) != key:
                print(text, file=self._out, flush=True)
            self._shown[job["id"]] = key
        if self._live and lines:
            if self._drawn:
                self._out.write(f"\x1b[{self._drawn}A")
            self._out.write("".join(f"\x1b[2K{line}\n" for line in lines))
            self._out.flush()
            self._drawn = len(lines)

    def break_line(self):
        """What was drawn stays; the next picture starts below."""
        self._drawn = 0
