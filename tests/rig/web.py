"""A real nginx with TLS that serves one folder: under addresses that expire, at limited speed, with or without ranges."""

import base64
import hashlib
import os
import socket
import time
from pathlib import Path

from .process import Process, free_port, wait_until

NGINX = "/usr/sbin/nginx"


class Web:
    """Files put into `www` are served under:

    /oss/FILE     only with a valid signature (sign()), like an object store's pre-signed address
    /slow/FILE    signed too, at `slow_rate`
    /plain/FILE   for everybody
    /noranges/FILE  ranges are ignored: 200 instead of 206
    /busy/FILE    503 with Retry-After;  /drop/FILE  connection closed without an answer
    """

    def __init__(self, folder, pki, slow_rate="64k", secret="rig-secret", hosts=("127.0.0.1", "localhost"), port=None, extra=""):
        self.folder = Path(folder)
        self.www = self.folder / "www"
        self.www.mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self.ca = pki.ca
        self._secret = secret
        self._process = None
        cert, key = pki.server("web", hosts)
        checked = ('secure_link $arg_sig,$arg_Expires; secure_link_md5 "$secure_link_expires$uri ' + secret + '"; '
                   'if ($secure_link = "") { return 403; } if ($secure_link = "0") { return 403; }')
        temp = "".join(f"{kind}_temp_path {self.folder}/tmp; " for kind in
                       ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""
        self._config = self.folder / "nginx.conf"
        self._config.write_text(f"""{user}daemon off; worker_processes 1; pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log info;
events {{ worker_connections 64; }}
http {{
  access_log {self.folder}/access.log; {temp}
  types {{ }} default_type application/octet-stream; sendfile off;
  server {{
    listen 127.0.0.1:{self.port} ssl;
    ssl_certificate {cert}; ssl_certificate_key {key};
    location /oss/ {{ alias {self.www}/; {checked} }}
    location /slow/ {{ alias {self.www}/; limit_rate {slow_rate}; {checked} }}
    location /plain/ {{ alias {self.www}/; }}
    location /noranges/ {{ alias {self.www}/; max_ranges 0; }}
    location /busy/ {{ add_header Retry-After 1 always; return 503; }}
    location /drop/ {{ return 444; }}
    {extra}
  }}
}}
""")

    def start(self):
        self._process = Process([NGINX, "-p", self.folder, "-c", self._config, "-e", self.folder / "error.log"], name="nginx")
        wait_until(self._answers, what="nginx listening")
        return self

    def _answers(self):
        if not self._process.running():
            raise RuntimeError("nginx ended at once:\n" + self._process.tail() + (self.folder / "error.log").read_text())
        try:
            socket.create_connection((self.host, self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self._process:
            self._process.stop()

    def kill(self):
        """kill -9 of master and workers: running downloads break."""
        if self._process and self._process.running():
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            self._process.kill()
            for child in children:
                try:
                    os.kill(int(child), 9)
                except ProcessLookupError:
                    pass

    def put(self, name, data):
        """Writes `data` (bytes, or a path to copy) to www/name and returns the name."""
        content = data if isinstance(data, bytes) else Path(data).read_bytes()
        part = self.www / (name + ".part")
        part.write_bytes(content)
        part.rename(self.www / name)
        return name

    def url(self, name, place="plain"):
        return f"https://{self.host}:{self.port}/{place}/{name}"

    def sign(self, name, valid_s=300, place="oss"):
        """An address that works for `valid_s` seconds from now; a negative number: one that has expired."""
        expires = int(time.time() + valid_s)
        uri = f"/{place}/{name}"
        digest = hashlib.md5(f"{expires}{uri} {self._secret}".encode()).digest()
        signature = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return f"https://{self.host}:{self.port}{uri}?Expires={expires}&sig={signature}"

    def requests(self):
        """Lines of the access log so far."""
        log = self.folder / "access.log"
        return log.read_text().splitlines() if log.exists() else []

    def __enter__(self):
        return self.start() if not self._process else self

    def __exit__(self, *_):
        self.kill()
