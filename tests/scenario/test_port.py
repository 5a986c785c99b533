"""Ports of the loader: the self test on the board, and the second board (2 MiB of flash in two banks, W25Q256)."""

import json
import random
import tempfile
import unittest
from pathlib import Path

from rig.board import Board
from rig.plant import firmware, run_tool

LOAD_ADDRESS = 0x08020000
LARGE = ("--part", "2MB", "--nor-part", "W25Q256")
LARGE_HARDWARE = "stm32f429-2mb"
LARGE_IMAGE_MAX = 1920 * 1024


class PortScenario(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="mcuota-port-")
        self.folder = Path(self._folder.name)
        self.board = None

    def tearDown(self):
        if self.board:
            self.board.__exit__()
        self._folder.cleanup()

    def power_up(self, loader, *options):
        self.board = Board(self.folder / "board", loader=firmware(loader), speed="max", options=options).start()

    def flash(self, *arguments):
        # A start with a megabyte to check takes the board seconds of a busy machine.
        return run_tool("mcuota-flash", "--link", f"{self.board.link}:2000000", "--timeout", "120", *arguments, check=False,
                        timeout=3000)

    def info(self):
        done = self.flash("info", "--json")
        self.assertEqual(done.returncode, 0, f"{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def package(self, image, version, hardware=LARGE_HARDWARE):
        file = self.folder / f"{version}.mcup"
        file.with_suffix(".bin").write_bytes(image)
        run_tool("mcuota-pack", "create", "--image", file.with_suffix(".bin"), "--version", version, "--hardware", hardware,
                 "--key", firmware("dev-key.pem"), "--out", file)
        return file


class SelfTest(PortScenario):
    def test_the_second_board_passes_and_is_empty_afterwards(self):
        self.power_up("loader-2mb-selftest.elf", *LARGE)
        done = self.flash("selftest", "--yes-erase-everything", "--quick", "--seed", "7", "--json")
        self.assertEqual(done.returncode, 0, f"{done.stdout}{done.stderr}")
        self.assertEqual(json.loads(done.stdout), {"outcome": "passed", "seed": 7})
        info = self.info()
        self.assertEqual((info["role"], info["stay_reason"]), ("loader", "no_application"))

    def test_nothing_is_begun_without_consent_and_other_loaders_say_that_they_cannot(self):
        self.power_up("loader.elf")
        done = self.flash("selftest")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("--yes-erase-everything", done.stderr)
        done = self.flash("selftest", "--yes-erase-everything")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("built without the self test", done.stderr)
        self.assertEqual(self.flash("push", self.package(firmware("demo-v1.bin").read_bytes(), "1.0.0", "stm32f429-demo")).returncode, 0)
        done = self.flash("selftest", "--yes-erase-everything")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("the application answers", done.stderr)
        self.assertEqual(self.info()["running"]["version"], "1.0.0")

    def test_a_table_for_the_large_chip_on_a_small_one_is_told(self):
        self.power_up("loader-2mb-selftest.elf", "--part", "2MB", "--nor-part", "W25Q128")
        done = self.flash("selftest", "--yes-erase-everything", "--quick", "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual((told["outcome"], told["check"], told["region"]), ("failed", "write", "flag_a"))
        self.assertEqual(told["status"], "nor_id_wrong")
        self.assertIn("does not identify itself", told["error"]["message"])


class SecondBoard(PortScenario):
    def test_images_through_both_banks_are_installed_confirmed_and_taken_back(self):
        self.power_up("loader-2mb.elf", *LARGE)
        info = self.info()
        self.assertEqual((info["hardware"], info["image_bytes_max"], info["jedec_id"]), (LARGE_HARDWARE, LARGE_IMAGE_MAX, 0xEF4019))
        self.assertEqual(info["flash_kib"], 2048)
        # Demo applications followed by what reaches into the second bank, whose sectors are of three sizes.
        noise = random.Random(3).randbytes(1_010_000)
        v1, v2 = (firmware(f"demo-2mb-{name}.bin").read_bytes() + noise[skip:] for name, skip in (("v1", 0), ("v2", 1000)))
        self.assertEqual(self.flash("push", self.package(v1, "1.0.0")).returncode, 0)
        done = self.flash("push", self.package(v2, "2.0.0"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.board.image(LOAD_ADDRESS, len(v2)), v2)
        info = self.info()
        self.assertEqual((info["role"], info["running"]["version"], info["backup"]["version"]), ("agent", "2.0.0", "1.0.0"))
        done = self.flash("rollback")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.board.image(LOAD_ADDRESS, len(v1)), v1)
        self.assertEqual(self.info()["running"]["version"], "1.0.0")
        done = self.flash("push", self.package(firmware("demo-v2.bin").read_bytes(), "3.0.0", "stm32f429-demo"))
        self.assertEqual(done.returncode, 4, "packages for the first board are refused")
        self.assertIn("wrong_hardware", done.stderr)


if __name__ == "__main__":
    unittest.main()
