"""A virtual STM32F429 as a child process: build/bin/mcuota-board with its flash and NOR images."""

import json
import os
import shutil
import socket
from pathlib import Path

from .process import Process, wait_until

ROOT = Path(__file__).resolve().parents[2]


def build_dir():
    """Where the programs are: MCUOTA_BUILD_DIR, or <source>/build."""
    return Path(os.environ.get("MCUOTA_BUILD_DIR", ROOT / "build"))


class Board:
    """Its files are flash.img, nor.img, tty (a pty) and control in `folder`; they survive stop() and power_cut()."""

    def __init__(self, folder, name="board", loader=None, speed="real", options=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.tty = self.folder / "tty"
        self.control = self.folder / "control"
        self.flash, self.nor = self.folder / "flash.img", self.folder / "nor.img"
        self._loader = loader or build_dir() / "firmware" / "loader.elf"
        self._argv = ["--flash", self.flash, "--nor", self.nor, "--uart", f"pty:{self.tty}", "--control", f"unix:{self.control}",
                      "--speed", speed, "--json", *options]
        self._fresh = not self.flash.exists()
        self.process = None

    @property
    def link(self):
        """For a configuration file or --link."""
        return f"uart:{self.tty}"

    def start(self):
        argv = [build_dir() / "bin" / "mcuota-board", "run", *self._argv]
        if self._fresh:
            argv += ["--load", self._loader]
            self._fresh = False
        self.process = Process(argv, name=self.name, log_file=self.folder / "board.log")
        self.process.wait_line(r'"event" ?: ?"started"', timeout=20)
        wait_until(self.tty.exists, what=f"{self.tty}")
        return self

    def command(self, line):
        """One line to the control socket; the answer as a dictionary."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.control))
            connection.sendall(line.encode() + b"\n")
            answer = connection.makefile().readline()
        return json.loads(answer)

    def status(self):
        return self.command("status")

    def power_cut(self):
        """kill -9: what was programmed stays, everything else is gone."""
        self.process.kill()
        for leftover in (self.tty, self.control):
            leftover.unlink(missing_ok=True)

    def power_cycle(self):
        self.power_cut()
        return self.start()

    def stop(self):
        if self.process:
            self.process.stop()

    def image(self, address, size):
        """Bytes of the internal flash, as they are in the image file."""
        with self.flash.open("rb") as file:
            file.seek(address - 0x08000000)
            return file.read(size)

    def copy_images(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for file in (self.flash, self.nor):
            shutil.copy(file, folder)

    def __enter__(self):
        return self.start() if not self.process else self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
