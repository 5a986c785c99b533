"""A real mosquitto with TLS, passwords and access lists."""

import os
import signal
import subprocess
from pathlib import Path

from .process import Process, free_port

MOSQUITTO = "/usr/sbin/mosquitto"


class Broker:
    """`users`: {name: password}. `acl`: {name: ["readwrite #", "write up/#", ...]}; None lets everybody do everything.

    The port stays the same over stop/kill and start, so a client can find the broker again."""

    def __init__(self, folder, pki, users, acl=None, hosts=("127.0.0.1", "localhost"), port=None, extra=""):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self.ca = pki.ca
        self._process = None
        cert, key = pki.server("broker", hosts)
        passwords = self.folder / "passwd"
        passwords.write_text("")
        passwords.chmod(0o600)
        for user, password in users.items():
            subprocess.run(["mosquitto_passwd", "-b", passwords, user, password], check=True, capture_output=True)
        lines = ["per_listener_settings false", "persistence false", "log_dest stderr", "log_type all",
                 f"listener {self.port} 127.0.0.1", f"cafile {pki.ca}", f"certfile {cert}", f"keyfile {key}",
                 "allow_anonymous false", f"password_file {passwords}"]
        if os.geteuid() == 0:
            lines.append("user root")
        if acl is not None:
            file = self.folder / "acl"
            file.write_text("".join(f"user {user}\n" + "".join(f"topic {rule}\n" for rule in rules) for user, rules in acl.items()))
            file.chmod(0o600)
            lines.append(f"acl_file {file}")
        self._config = self.folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n" + extra)

    @property
    def log(self):
        """Lines of the running (or last) broker."""
        return self._process.lines if self._process else []

    @property
    def process(self):
        return self._process

    def start(self):
        self._process = Process([MOSQUITTO, "-c", self._config], name="mosquitto", log_file=self.folder / "mosquitto.log")
        self._process.wait_line(r"mosquitto version .* running")
        return self

    def stop(self):
        if self._process:
            self._process.stop()

    def kill(self):
        """kill -9: connections break without a word."""
        if self._process:
            self._process.kill()

    def restart(self):
        self.kill()
        return self.start()

    def pause(self):
        """The broker stays connected and says nothing any more (SIGSTOP)."""
        self._process.signal(signal.SIGSTOP)

    def resume(self):
        self._process.signal(signal.SIGCONT)

    def __enter__(self):
        return self.start() if not self._process else self

    def __exit__(self, *_):
        self.kill()
