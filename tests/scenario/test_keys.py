"""Keys on a virtual board: rotation through the application and through the loader, and a loader with RSA keys."""

import json
import tempfile
import unittest
from pathlib import Path

from rig import loader_keys
from rig.board import Board, build_dir
from rig.plant import HARDWARE, firmware, run_tool

KEY, NEXT_KEY = firmware("dev-key.pem"), firmware("dev-next-key.pem")


class KeyScenario(unittest.TestCase):
    loader = None

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="mcuota-keys-")
        self.folder = Path(self._folder.name)
        self.prepare()
        self.board = Board(self.folder / "board", speed="max", loader=self.loader).start()

    def prepare(self):
        """Before the board starts."""

    def tearDown(self):
        self.board.__exit__()
        self._folder.cleanup()

    def flash(self, *arguments):
        return run_tool("mcuota-flash", "--link", f"{self.board.link}:2000000", "--timeout", "60", *arguments, check=False)

    def info(self):
        return json.loads(self.flash("info", "--json").stdout)

    def make_key(self, name, kind="ecdsa-p256"):
        file = self.folder / f"{name}.pem"
        run_tool("mcuota-pack", "keygen", "--type", kind, "--out", file)
        return file

    def package(self, name, version, key):
        out = self.folder / f"{version}-{key.stem}.mcup"
        run_tool("mcuota-pack", "create", "--image", firmware(f"demo-{name}.bin"), "--version", version, "--hardware", HARDWARE,
                 "--key", key, "--out", out)
        return out

    def record(self, signer, following, generation):
        out = self.folder / f"{generation}.mcuk"
        run_tool("mcuota-pack", "rotate", "--key", signer, "--next", following.with_suffix(".pub.pem"), "--generation",
                 str(generation), "--out", out)
        return out

    def push(self, name, version, key, code=0):
        result = self.flash("push", self.package(name, version, key))
        self.assertEqual(result.returncode, code, result.stderr)
        return result


class Rotation(KeyScenario):
    def test_application_and_loader_take_rotations_and_what_a_retired_key_signed_still_starts(self):
        third, fourth = self.make_key("third"), self.make_key("fourth", "rsa-2048")
        first, second = self.record(NEXT_KEY, third, 1), self.record(third, fourth, 2)
        self.push("v1", "1.0.0", KEY)
        before = self.info()["keys"]
        self.assertEqual(before["generation"], 0)

        self.assertEqual(self.flash("rotate", second).returncode, 4)  # a gap
        taken = self.flash("rotate", first)
        self.assertEqual(taken.returncode, 0, taken.stderr)
        now = self.info()
        self.assertEqual(now["role"], "agent")
        self.assertEqual((now["keys"]["generation"], now["keys"]["current"]), (1, before["next"]))
        self.assertIn("key_unknown", self.push("v2", "2.0.0", KEY, code=4).stderr)

        self.board.power_cycle()
        self.assertEqual(self.info()["running"]["version"], "1.0.0")
        self.assertEqual(self.flash("reboot", "--loader").returncode, 0)
        taken = self.flash("rotate", second, "--json")
        self.assertEqual(taken.returncode, 0, taken.stderr)
        self.assertEqual(json.loads(taken.stdout)["generation"], 2)
        self.assertEqual(self.info()["role"], "loader")
        self.assertEqual(json.loads(self.flash("rotate", first, "--json").stdout)["outcome"], "in_force_already")

        self.push("v2", "2.0.0", third)
        self.board.power_cycle()
        running = self.info()
        self.assertEqual((running["running"]["version"], running["keys"]["generation"]), ("2.0.0", 2))
        back = self.flash("rollback")
        self.assertEqual(back.returncode, 0, back.stderr)
        self.assertEqual(self.info()["running"]["version"], "1.0.0")


class RsaLoader(KeyScenario):
    def prepare(self):
        self.current, self.following = self.make_key("current", "rsa-2048"), self.make_key("following", "rsa-2048")
        self.loader = loader_keys.patch(build_dir() / "firmware" / "loader.elf", self.folder / "loader.elf",
                                        self.current.with_suffix(".pub.pem"), self.following.with_suffix(".pub.pem"))

    def test_a_loader_with_rsa_keys_installs_and_rotates(self):
        self.assertIn("key_unknown", self.push("v1", "1.0.0", KEY, code=4).stderr)
        self.push("v1", "1.0.0", self.current)
        ecdsa = self.make_key("ecdsa")
        taken = self.flash("rotate", self.record(self.following, ecdsa, 1))
        self.assertEqual(taken.returncode, 0, taken.stderr)
        self.push("v2", "2.0.0", self.following)
        self.assertEqual(self.info()["running"]["version"], "2.0.0")
        self.board.power_cycle()
        self.assertEqual(self.info()["keys"]["generation"], 1)
