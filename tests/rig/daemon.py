"""mcuotad as a child process, with a configuration written for it, and its API."""

import http.client
import json
import socket
import subprocess
from pathlib import Path

from .board import build_dir
from .process import Process, wait_until


class Daemon:
    """`config`: {"keys": {...}, "cloud": [{...}], "device": [{...}], ...} as in mcuota.toml; [daemon] state_dir and
    socket are filled in. State stays in `folder` over kill() and start()."""

    def __init__(self, folder, config):
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.state.mkdir(parents=True, exist_ok=True)
        self.socket = self.folder / "api.sock"
        self.config_file = self.folder / "mcuota.toml"
        self.process = None
        whole = {**config, "daemon": {"state_dir": str(self.state), "socket": str(self.socket), **config.get("daemon", {})}}
        self.config_file.write_text(to_toml(whole))

    def start(self, wait=True):
        self.process = Process([build_dir() / "bin" / "mcuotad", "--config", self.config_file], name="mcuotad",
                               log_file=self.folder / "mcuotad.log")
        if wait:
            wait_until(self._answers, timeout=20, what="mcuotad answering on its socket")
        return self

    def _answers(self):
        if not self.process.running():
            raise RuntimeError("mcuotad ended at once:\n" + self.process.tail())
        try:
            return self.get("/v1/status") is not None
        except (OSError, http.client.HTTPException):
            return False

    def request(self, method, path, body=None, timeout=10):
        """(status, parsed JSON or text)."""
        connection = _UnixConnection(self.socket, timeout)
        try:
            content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"} if content is not None and not isinstance(body, bytes) else {}
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text[:1] in "{[" and text else text
        finally:
            connection.close()

    def get(self, path):
        status, body = self.request("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body}")
        return body

    def cli(self, *arguments, check=False, timeout=120):
        """Runs `mcuota` against this daemon; the CompletedProcess with text output."""
        done = subprocess.run([build_dir() / "bin" / "mcuota", "--socket", self.socket, *map(str, arguments)],
                              capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise RuntimeError(f"mcuota {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr}")
        return done

    def cli_json(self, *arguments):
        return json.loads(self.cli(*arguments, "--json", check=True).stdout)

    def kill(self):
        self.process.kill()

    def stop(self):
        """SIGTERM; the exit code."""
        return self.process.stop() if self.process else 0

    def __enter__(self):
        return self.start() if not self.process else self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def to_toml(tables):
    """A dictionary of tables and lists of tables as TOML; values are strings, numbers, booleans and lists of them."""
    out = []
    for name, table in tables.items():
        for entry in table if isinstance(table, list) else [table]:
            out.append(f"[[{name}]]" if isinstance(table, list) else f"[{name}]")
            out += [f"{key} = {_value(value)}" for key, value in entry.items()]
            out.append("")
    return "\n".join(out)


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(str(value))
