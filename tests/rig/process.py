"""Child processes with captured output: wait for a line instead of sleeping, leave no orphan."""

import atexit
import ctypes
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
import weakref

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_children = weakref.WeakSet()


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@atexit.register
def _kill_all():
    for child in list(_children):
        child.kill()


class Failed(AssertionError):
    """What was waited for did not happen."""


def free_port():
    """A TCP port on 127.0.0.1 nobody listens on at the moment. Below the range the kernel takes ports for outgoing
    connections from, so that none of those can sit on it when the server starts, or starts again."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_until(condition, timeout=10.0, what="the condition", interval=0.02):
    """Value of condition() once it is true. For things that cannot be awaited as an event (another process's files
    and sockets); raises Failed after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what} did not happen within {timeout:g} s")
        time.sleep(interval)


class Process:
    """One child. Standard output and error are read line by line into `lines` and, when given, appended to `log_file`.

    Start it from a thread that lives as long as the child (the kernel kills the child when that thread ends)."""

    def __init__(self, argv, name=None, log_file=None, cwd=None, env=None, stdin=subprocess.DEVNULL):
        self.name = name or os.path.basename(argv[0])
        self.argv = [str(a) for a in argv]
        self.lines = []
        self._news = threading.Condition()
        self._ended = False
        self._log = open(log_file, "ab", buffering=0) if log_file else None
        self.child = subprocess.Popen(
            self.argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd,
            env={**os.environ, **(env or {})}, preexec_fn=_die_with_parent)
        _children.add(self)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self):
        return self.child.pid

    def _read(self):
        for raw in self.child.stdout:
            if self._log:
                self._log.write(raw)
            with self._news:
                self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self._news.notify_all()
        self.child.stdout.close()
        if self._log:
            self._log.close()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_line(self, pattern, timeout=10.0, start=0):
        """(index, match) of the first line from index `start` on that matches; raises Failed when the child ends or time is up."""
        regex = re.compile(pattern)
        end = time.monotonic() + timeout
        at = start
        with self._news:
            while True:
                while at < len(self.lines):
                    match = regex.search(self.lines[at])
                    if match:
                        return at, match
                    at += 1
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    why = "ended" if self._ended else f"was silent about it for {timeout:g} s"
                    raise Failed(f"{self.name} {why}; waited for /{pattern}/\n" + self.tail())
                self._news.wait(left)

    def tail(self, count=30):
        return "\n".join(f"  {self.name}| {line}" for line in self.lines[-count:])

    def running(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.running():
            self.child.send_signal(number)

    def kill(self):
        """SIGKILL, also when stopped; returns when the child is gone."""
        self.signal(signal.SIGKILL)
        self.child.wait()

    def stop(self, timeout=10.0):
        """SIGTERM and the exit code; raises Failed (after a SIGKILL) when the child does not go in time."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout=10.0):
        try:
            code = self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} did not end within {timeout:g} s\n" + self.tail()) from None
        self._reader.join(5)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
