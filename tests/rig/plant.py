"""A whole plant in one object: broker, web server, cloud, virtual boards and mcuotad, wired together.

The demo and the scenario tests use it; everything lies in one folder and listens on loopback only.
"""

import json
import subprocess
from pathlib import Path

from .aliyun_cloud import CLOUD_USER, AliyunCloud, SubDevice, gateway_credentials
from .board import Board, build_dir
from .broker import Broker
from .daemon import Daemon
from .pki import Pki
from .web import Web

GATEWAY_KEY, GATEWAY_NAME, GATEWAY_SECRET = "a1GwPlant01", "gw-plant", "0123456789abcdef0123456789abcdef"
CLOUD_PASSWORD = "cloud-password"
SUB_KEY = "a1SubPump01"
HARDWARE = "stm32f429-demo"


def firmware(name):
    return build_dir() / "firmware" / name


def run_tool(program, *arguments, check=True, timeout=300):
    """One of our programs to its end; the CompletedProcess with text output."""
    done = subprocess.run([str(build_dir() / "bin" / program), *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, stdin=subprocess.DEVNULL)
    if check and done.returncode != 0:
        raise AssertionError(f"{program} {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr}{done.stdout}")
    return done


class Plant:
    """`boards`: {name: baud}. Start order is the caller's: boards and servers run after __enter__, the daemon by
    start_daemon()."""

    def __init__(self, folder, boards, slow_rate="64k", board_speed="real", daemon_config=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pki = Pki(self.folder / "pki")
        client, user, password = gateway_credentials(GATEWAY_KEY, GATEWAY_NAME, GATEWAY_SECRET)
        gateway_topics = [f"readwrite {head}/{key}/{name}/#"
                          for head in ("/ota/device/+", "/sys", "/ext/session", "/ext/error")
                          for key, name in [(GATEWAY_KEY, GATEWAY_NAME)] + [(SUB_KEY, b) for b in boards]]
        self.broker = Broker(self.folder / "broker", self.pki, {user: password, CLOUD_USER: CLOUD_PASSWORD},
                             acl={user: gateway_topics, CLOUD_USER: ["readwrite #"]})
        self.web = Web(self.folder / "web", self.pki, slow_rate=slow_rate)
        self.boards = {name: Board(self.folder / name, name=name, speed=board_speed, options=["--chip-id", f"{i + 1:024x}"])
                       for i, name in enumerate(boards)}
        self.bauds = dict(boards)
        self.subs = {name: SubDevice(SUB_KEY, name, f"{i + 1:032x}") for i, name in enumerate(boards)}
        self.cloud = None
        self.daemon = None
        self._daemon_config = daemon_config or {}

    # --- life ------------------------------------------------------------------------------------------------------

    def __enter__(self):
        try:
            self.broker.start()
            self.web.start()
            for board in self.boards.values():
                board.start()
            self.cloud = AliyunCloud(self.broker, CLOUD_PASSWORD, (GATEWAY_KEY, GATEWAY_NAME), list(self.subs.values()))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for part in [self.daemon, *self.boards.values()]:
            if part is not None:
                part.__exit__()
        if self.cloud:
            self.cloud.close()
        self.web.kill()
        self.broker.kill()

    def start_daemon(self):
        if self.daemon is None:
            self.daemon = Daemon(self.folder / "gateway", self.config())
        self.daemon.start()
        return self.daemon

    def config(self):
        """What mcuota.toml says for this plant."""
        config = {
            "keys": {"trusted": [str(firmware("dev-key.pub.pem"))]},
            "download": {"ca_file": str(self.pki.ca)},
            "cloud": [{"name": "plant", "provider": "aliyun", "host": self.broker.host, "port": self.broker.port,
                       "ca_file": str(self.pki.ca), "product_key": GATEWAY_KEY, "device_name": GATEWAY_NAME,
                       "device_secret": GATEWAY_SECRET}],
            "device": [{"name": name, "hardware": HARDWARE, "link": f"{board.link}:{self.bauds[name]}", "cloud": "plant",
                        "product_key": SUB_KEY, "device_name": name, "device_secret": self.subs[name].secret}
                       for name, board in self.boards.items()],
        }
        for table, values in self._daemon_config.items():
            config[table] = {**config.get(table, {}), **values}
        return config

    # --- things one does with it ---------------------------------------------------------------------------------------

    def device(self, name):
        """(product_key, device_name) of a board, as the cloud knows it."""
        return self.subs[name].key

    def link(self, name):
        return f"{self.boards[name].link}:{self.bauds[name]}"

    def package(self, name, image, version, key=None, hardware=HARDWARE, **options):
        """Makes a package of `image` (a path) in the folder `packages`; its path."""
        out = self.folder / "packages" / name
        out.parent.mkdir(exist_ok=True)
        out.unlink(missing_ok=True)
        extra = [part for option, value in options.items() for part in (f"--{option.replace('_', '-')}", str(value))]
        run_tool("mcuota-pack", "create", "--image", image, "--version", version, "--hardware", hardware,
                 "--key", key or firmware("dev-key.pem"), "--out", out, *extra)
        return out

    def flash(self, name, *arguments, check=True, timeout=300):
        """mcuota-flash on a board's own line (the daemon must not run)."""
        return run_tool("mcuota-flash", "--link", self.link(name), "--timeout", "60", *arguments, check=check, timeout=timeout)

    def info(self, name):
        return json.loads(self.flash(name, "info", "--json").stdout)

    def jobs(self):
        """All jobs by id, newest last."""
        return {job["id"]: job for job in sorted(self.daemon.cli_json("job", "list"), key=lambda job: job["id"])}

    def holds(self, name, image):
        """Whether exactly the bytes of the file `image` lie at the board's load address."""
        data = Path(image).read_bytes()
        return self.boards[name].image(0x08020000, len(data)) == data

    @staticmethod
    def tool_text(program, *arguments):
        """What one of our programs prints for people."""
        done = run_tool(program, *arguments)
        return done.stdout + done.stderr
