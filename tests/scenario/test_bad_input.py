"""Everything that can be wrong with an offer, a file or a device: a clear error with code and next step, the running
application untouched, the job in a sound state, and the next job works."""

import os
import random
import threading
import unittest

from rig import crafted
from rig.plant import HARDWARE, SUB_KEY, firmware, run_tool
from scenario.plant_case import PlantCase

KEY = firmware("dev-key.pem")


class BadOffers(PlantCase):
    daemon_config = {**PlantCase.daemon_config, "download": {"size_max_bytes": 2_000_000}}
    provision_options = {"security_counter": 5}

    def write(self, name, content):
        file = self.plant.folder / name
        file.write_bytes(content)
        return file

    def failures_told(self):
        """How many failures of pump-1 the cloud has heard of."""
        steps = self.plant.cloud.progress.get((*self.plant.device("pump-1"), ""), [])
        return sum(int(step) < 0 for step, _ in steps)

    def wait_told(self, before):
        """The gateway ignores a repeated push of what failed until the cloud knows of the failure: so does the test."""
        self.plant.cloud.wait(lambda: self.failures_told() > before, 20, "word of the failure")

    def fails_with(self, code, file, version="2.0.0", **fields):
        """Offers the file; the job must fail with one of the codes (separated by |) and leave the board alone."""
        before, told = self.last_id("pump-1"), self.failures_told()
        self.offer("pump-1", file, version, **fields)
        job = self.wait_job("pump-1", before)
        self.assertEqual(job["state"], "failed", job)
        self.assertRegex(job["error"]["code"], f"^({code})$", job["error"])
        self.assertTrue(job["error"]["message"])
        self.assertTrue(job["error"]["next"], job["error"])
        self.assert_untouched("pump-1")
        self.wait_told(told)

    def test_bad_files_and_then_a_good_one(self):
        v2 = firmware("demo-v2.bin").read_bytes()
        right = crafted.signed_package(v2, "2.0.0", HARDWARE, KEY, counter=5)
        unsigned = crafted.manifest(v2, "2.0.0", HARDWARE, KEY, [crafted.payload_entry(crafted.RAW, v2)], counter=5)
        other = self.plant.folder / "other.pem"
        run_tool("mcuota-pack", "keygen", "--type", "ecdsa-p256", "--out", other)
        greedy = crafted.signed_package(v2, "2.0.0", HARDWARE, KEY, crafted.LZMA, b"\x5d\x00\x00\x20\x00" + bytes(4000),
                                        memory=1 << 21, counter=5)
        cases = {
            "no package": ("package_malformed", b"#!/bin/sh\necho hello\n" * 50),
            "unsigned": ("signature_invalid|package_malformed", crafted.package(unsigned, b"", [v2])),
            "forged": ("signature_invalid", crafted.package(unsigned, bytes(63) + b"\x01", [v2])),
            "truncated": ("package_truncated", right[:-1000]),
            "too much memory": ("no_fitting_payload|memory_budget_exceeded", greedy),
            "another version inside": ("version_mismatch", crafted.signed_package(v2, "3.0.0", HARDWARE, KEY, counter=5)),
        }
        for name, (code, content) in cases.items():
            with self.subTest(name):
                self.fails_with(code, self.write(name.replace(" ", "-") + ".mcup", content))
        with self.subTest("another key"):
            self.fails_with("key_unknown", self.plant.package("otherkey.mcup", firmware("demo-v2.bin"), "2.0.0", key=other,
                                                              security_counter=5))
        with self.subTest("other hardware"):
            self.fails_with("wrong_hardware", self.plant.package("otherhw.mcup", firmware("demo-v2.bin"), "2.0.0",
                                                                 hardware="stm32f407-other"))
        with self.subTest("older counter"):
            self.fails_with("security_counter_too_old", self.plant.package("old.mcup", firmware("demo-v2.bin"), "2.0.0",
                                                                           security_counter=4))
        with self.subTest("digest"):
            self.fails_with("download_digest_mismatch", self.write("right.mcup", right), sign="00" * 32)
        with self.subTest("oversized"):    # refused as an offer: the cloud is told, no job is made, nothing is fetched
            before, told = self.last_id("pump-1"), self.failures_told()
            self.plant.cloud.offer(self.plant.device("pump-1"), "https://127.0.0.1/big.mcup", "2.0.0", right, size=2_000_001)
            self.wait_told(told)
            self.assertEqual(self.last_id("pump-1"), before)
        for code, url in (("url_not_https", "http://127.0.0.1/right.mcup"), ("url_gone", self.plant.web.url("never-there.mcup"))):
            with self.subTest(code):
                before, told = self.last_id("pump-1"), self.failures_told()
                self.plant.cloud.offer(self.plant.device("pump-1"), url, "2.0.0", right)
                self.assertEqual(self.wait_job("pump-1", before)["error"]["code"], code)
                self.wait_told(told)
        with self.subTest("malformed messages"):
            topic = f"/ota/device/upgrade/{SUB_KEY}/pump-1"
            for body in (b"{", b"", b"[1,2", b'{"id":1}', b'{"data":7}', b"\xff\xfe", b'{"data":{"size":-5,"version":3,"url":[]}}',
                         b'{"id":"1","data":{"version":"2.0.0","url":"https://127.0.0.1/x","size":"abc","md5":"zz"}}', b"0" * 100_000):
                self.plant.cloud.send(topic, body)
            self.assertEqual(self.plant.daemon.cli("status").returncode, 0)
        with self.subTest("and the right one"):
            before = self.last_id("pump-1")
            self.offer("pump-1", self.write("right.mcup", right), "2.0.0")
            job = self.wait_job("pump-1", before)
            self.assertEqual(job["state"], "succeeded", job)
            self.assertTrue(self.plant.holds("pump-1", firmware("demo-v2.bin")))
            self.plant.cloud.wait_version(self.plant.device("pump-1"), "2.0.0")


class BadDevices(PlantCase):
    """Devices that vanish, are silent or talk rubbish: the job waits and says why, and goes on when they are back."""

    boards = {"pump-1": 115200}

    def test_a_port_that_vanishes_in_the_middle_of_the_transfer(self):
        v2 = self.plant.package("v2.mcup", firmware("demo-v2.bin"), "2.0.0")
        before = self.last_id("pump-1")
        self.offer("pump-1", v2, "2.0.0")
        self.wait_job("pump-1", before, states=("sending",))
        board = self.plant.boards["pump-1"]
        board.power_cut()
        job = self.wait_job("pump-1", before, states=("waiting",))
        self.assertRegex(job["error"]["code"], "link_lost|link_open_failed|device_silent")
        self.assertTrue(job["error"]["next"])

        # A stranger on the same port: first silent, then talking rubbish.
        master, slave = os.openpty()
        os.set_blocking(master, False)
        board.tty.symlink_to(os.ttyname(slave))
        stop = threading.Event()

        def babble():
            noise = random.Random(2)
            while not stop.wait(0.05):
                try:
                    os.write(master, noise.randbytes(100))
                except BlockingIOError:
                    continue  # nobody reads at the moment
                except OSError:
                    return
        talker = threading.Thread(target=babble, daemon=True)
        talker.start()
        stranger = self.wait_for_error("device_garbled|device_silent")
        self.assertIn(stranger["state"], ("waiting", "sending"))
        stop.set()
        talker.join()
        board.tty.unlink()
        os.close(master)
        os.close(slave)

        board.start()
        job = self.wait_job("pump-1", before)
        self.assertEqual(job["state"], "succeeded", job)
        self.assertTrue(self.plant.holds("pump-1", firmware("demo-v2.bin")))

    def wait_for_error(self, codes):
        import re

        from rig.process import wait_until

        def found():
            job = self.newest("pump-1")
            return job if job["error"] and re.fullmatch(codes, job["error"]["code"]) else None
        return wait_until(found, timeout=60, what=f"an error {codes}", interval=0.2)


if __name__ == "__main__":
    unittest.main()
