"""mcuota-flash and the loader on a virtual board: any image, wrong packages, lost power."""

import json
import os
import random
import tempfile
import threading
import unittest
from pathlib import Path

from rig import crafted
from rig.board import Board
from rig.plant import HARDWARE, firmware, run_tool
from rig.process import wait_until

LOAD_ADDRESS = 0x08020000
IMAGE_MAX = 896 * 1024
KEY = firmware("dev-key.pem")


class FlashScenario(unittest.TestCase):
    """One board with the loader alone, at two million baud and full speed."""

    speed = "max"
    options = ()
    packages_made = 0

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="mcuota-flash-")
        self.folder = Path(self._folder.name)
        self.board = Board(self.folder / "board", speed=self.speed, options=self.options).start()

    def tearDown(self):
        self.board.__exit__()
        self._folder.cleanup()

    def flash(self, *arguments, baud=2000000):
        return run_tool("mcuota-flash", "--link", f"{self.board.link}:{baud}", "--timeout", "60", *arguments, check=False)

    def info(self):
        return json.loads(self.flash("info", "--json").stdout)

    def package(self, image, version="1.0.0", key=KEY, hardware=HARDWARE, *options):
        self.packages_made += 1
        file = self.folder / f"{self.packages_made}.mcup"
        binary = file.with_suffix(".bin")
        binary.write_bytes(image)
        run_tool("mcuota-pack", "create", "--image", binary, "--version", version, "--hardware", hardware, "--key", key,
                 "--out", file, *options)
        return file

    def demo(self, name, version, *options):
        return self.package(firmware(f"demo-{name}.bin").read_bytes(), version, KEY, HARDWARE, *options)

    def assert_holds(self, image):
        self.assertEqual(self.board.image(LOAD_ADDRESS, len(image)), image)

    def write(self, name, content):
        file = self.folder / name
        file.write_bytes(content)
        return file


class AnyImage(FlashScenario):
    def test_images_of_boundary_sizes_end_as_exactly_these_bytes_and_what_cannot_run_is_said_so(self):
        for size in (1, 7, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, IMAGE_MAX):
            with self.subTest(size=size):
                image = random.Random(size).randbytes(size)
                done = self.flash("push", self.package(image))
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("cannot run", done.stderr)
                self.assertIn("no application runs", done.stderr)
                self.assert_holds(image)
                info = self.info()
                self.assertEqual(info["role"], "loader")
                self.assertNotEqual(info["stay_reason"], "ok")

    def test_an_image_over_the_limit_is_refused_before_anything_is_sent(self):
        done = self.flash("push", self.package(bytes(IMAGE_MAX + 1)))
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("image_too_large", done.stderr)

    def test_an_image_that_cannot_run_is_tried_and_the_running_one_comes_back(self):
        v1 = firmware("demo-v1.bin").read_bytes()
        self.assertEqual(self.flash("push", self.demo("v1", "1.0.0")).returncode, 0)
        image = random.Random(5).randbytes(200_001)
        done = self.flash("push", self.package(image, "9.0.0"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("1.0.0", done.stderr)
        self.assertIn("runs again", done.stderr)
        self.assert_holds(v1)


class Commands(FlashScenario):
    def test_push_twice_rollback_reboot_and_log(self):
        v1, v2 = self.demo("v1", "1.0.0"), self.demo("v2", "2.0.0")
        self.assertEqual(self.flash("push", v1).returncode, 0)
        self.assertEqual(self.flash("push", v1).returncode, 6, "the same image again is nothing to do")
        self.assertEqual(self.flash("push", v2).returncode, 0)
        info = self.info()
        self.assertEqual((info["running"]["version"], info["backup"]["version"]), ("2.0.0", "1.0.0"))
        self.assertEqual(self.flash("rollback").returncode, 0)
        self.assertEqual(self.info()["running"]["version"], "1.0.0")
        self.assert_holds(firmware("demo-v1.bin").read_bytes())
        self.assertEqual(self.flash("reboot").returncode, 0)
        self.assertEqual(self.info()["role"], "agent")
        log = json.loads(self.flash("log", "--json").stdout)["lines"]
        self.assertTrue(any("rolled_back" in line for line in log), log)

    def test_a_power_cycle_keeps_the_application(self):
        self.assertEqual(self.flash("push", self.demo("v1", "1.0.0")).returncode, 0)
        self.board.power_cycle()
        info = self.info()
        self.assertEqual((info["role"], info["running"]["version"]), ("agent", "1.0.0"))

    def test_nobody_there(self):
        self.board.stop()
        done = run_tool("mcuota-flash", "--link", f"uart:{self.folder}/no-such-port", "info", check=False)
        self.assertEqual(done.returncode, 5, done.stderr)
        master, slave = os.openpty()
        done = run_tool("mcuota-flash", "--link", f"uart:{os.ttyname(slave)}", "info", check=False)
        os.close(master)
        os.close(slave)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn("device_silent", done.stderr)

    def test_a_device_that_talks_rubbish(self):
        master, slave = os.openpty()
        stop = threading.Event()

        def babble():
            noise = random.Random(1)
            while not stop.is_set():
                try:
                    os.write(master, noise.randbytes(200))
                    os.read(master, 4096)
                except OSError:
                    return

        talker = threading.Thread(target=babble, daemon=True)
        talker.start()
        done = run_tool("mcuota-flash", "--link", f"uart:{os.ttyname(slave)}", "info", check=False)
        stop.set()
        os.close(slave)
        os.close(master)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertRegex(done.stderr, "device_garbled|device_silent")


class Refusals(FlashScenario):
    """What may not run is refused with its reason, by the gateway or by the loader, and the running application stays untouched."""

    def setUp(self):
        super().setUp()
        self.v1 = firmware("demo-v1.bin").read_bytes()
        done = self.flash("push", self.demo("v1", "1.0.0", "--security-counter", "5"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.v2 = firmware("demo-v2.bin").read_bytes()

    def test_refusals(self):
        other = self.folder / "other.pem"
        run_tool("mcuota-pack", "keygen", "--type", "ecdsa-p256", "--out", other)
        right = crafted.signed_package(self.v2, "2.0.0", HARDWARE, KEY, counter=5)
        unsigned = crafted.manifest(self.v2, "2.0.0", HARDWARE, KEY, [crafted.payload_entry(crafted.RAW, self.v2)], counter=5)
        forged = crafted.package(unsigned, bytes(63) + b"\x01", [self.v2])
        # 2 MiB of dictionary: sound LZMA properties no loader has the memory for.
        greedy = crafted.signed_package(self.v2, "2.0.0", HARDWARE, KEY, crafted.LZMA, b"\x5d\x00\x00\x20\x00" + bytes(4000),
                                        memory=1 << 21, counter=5)
        liar = crafted.signed_package(self.v2, "2.0.0", HARDWARE, KEY, crafted.LZMA, b"\x5d\x00\x10\x00\x00" + bytes(4000),
                                      memory=30_000, counter=5)
        wrong_image = crafted.manifest(self.v2, "2.0.0", HARDWARE, KEY, [crafted.payload_entry(crafted.RAW, self.v1[:-1] + b"!")],
                                       counter=5)
        cases = {
            "another key": (self.package(self.v2, "2.0.0", other, HARDWARE, "--security-counter", "5"), "key_unknown"),
            "signature of nobody": (self.write("forged.mcup", forged), "signature_invalid"),
            "other hardware": (self.package(self.v2, "2.0.0", KEY, "stm32f407-other"), "wrong_hardware"),
            "older counter": (self.package(self.v2, "2.0.0", KEY, HARDWARE, "--security-counter", "4"), "security_counter"),
            "truncated": (self.write("short.mcup", right[:-100]), "package_truncated"),
            "trailing byte": (self.write("long.mcup", right + b"\0"), "package_"),
            "no package": (self.write("text.mcup", b"hello, this is not a package"), "package_"),
            "too much memory": (self.write("greedy.mcup", greedy), "memory|no_fitting_payload"),
            "payload that does not decode": (self.write("liar.mcup", liar), "payload_malformed|payload_mismatch"),
            "another image than signed": (self.write("wrong.mcup", crafted.package(
                wrong_image, crafted.sign_p256(KEY, wrong_image), [self.v1[:-1] + b"!"])), "image_hash_mismatch|payload_mismatch"),
        }
        for name, (file, word) in cases.items():
            with self.subTest(name):
                done = self.flash("push", file)
                self.assertEqual(done.returncode, 4, f"{done.stdout}{done.stderr}")
                self.assertRegex(done.stderr, word)
                self.assert_holds(self.v1)
        info = self.info()
        self.assertEqual((info["running"]["version"], info["running"]["state"]), ("1.0.0", "confirmed"))
        # And the right one, made by hand from the document, is taken.
        done = self.flash("push", self.write("right.mcup", right))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_holds(self.v2)


class LostPower(FlashScenario):
    """The board loses its power at moments spread over an installation; whatever comes, one of the two images runs, and the
    same command again ends in the new one."""

    def application(self):
        """What the device says of itself once an application answers, else None."""
        done = self.flash("info", "--json")
        info = json.loads(done.stdout)
        return info if done.returncode == 0 and info["role"] == "agent" else None

    def test_cuts_during_an_installation(self):
        v1, v2 = self.demo("v1", "1.0.0"), self.demo("v2", "2.0.0")
        self.assertEqual(self.flash("push", v1).returncode, 0)
        moments = random.Random(11)
        for attempt in range(8):
            with self.subTest(attempt=attempt):
                pushing = threading.Thread(target=self.flash, args=("push", v2))
                pushing.start()
                pushing.join(moments.uniform(0.1, 1.6))
                self.board.power_cycle()
                pushing.join()
                # The loader may have an installation to finish before it starts one of the two.
                info = wait_until(self.application, timeout=120, what="an application's answer", interval=0.2)
                self.assertIn(info["running"]["version"], ("1.0.0", "2.0.0"))
                done = self.flash("push", v2)
                self.assertIn(done.returncode, (0, 6), done.stderr)
                self.assert_holds(firmware("demo-v2.bin").read_bytes())
                self.assertEqual(self.flash("rollback").returncode, 0)
                self.assert_holds(firmware("demo-v1.bin").read_bytes())


if __name__ == "__main__":
    unittest.main()
