"""Trials on the loader's real binary: every way in which a new image can fail to prove itself, and the way back."""

import json
import unittest

from rig.plant import firmware
from rig.process import wait_until
from scenario.test_flash import FlashScenario

TRIAL_BOOTS = 3
# Into the loader to install, the trial boots, and the loader's last start that goes back.
STARTS = 1 + TRIAL_BOOTS + 1


class TrialScenario(FlashScenario):
    """A board that runs 1.0.0."""

    def setUp(self):
        super().setUp()
        self.assertEqual(self.flash("push", self.demo("v1", "1.0.0")).returncode, 0)


class Trials(TrialScenario):
    def assert_v1_runs(self):
        info = self.info()
        self.assertEqual((info["role"], info["running"]["version"], info["running"]["state"]), ("agent", "1.0.0", "confirmed"))
        self.assert_holds(firmware("demo-v1.bin").read_bytes())
        return info

    def assert_taken_back(self, name, status):
        before = self.board.status()["resets"]
        done = self.flash("push", self.demo(name, "2.9.0"), "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        error = json.loads(done.stdout)["error"]
        self.assertEqual((error["code"], error["device_status"]), ("trial_failed", status), error)
        self.assertIn("1.0.0", error["message"])
        info = self.assert_v1_runs()
        self.assertLessEqual(self.board.status()["resets"] - before, STARTS)
        self.assertEqual(info["last_outcome"]["status"], status)
        self.assertEqual(info["last_failed_image"], info["last_outcome"]["image_sha256"])
        boots = [line for line in json.loads(self.flash("log", "--json").stdout)["lines"] if f"boots {TRIAL_BOOTS}" in line]
        self.assertTrue(boots, "the log shows the trial boots")
        # The next good one is taken.
        self.assertEqual(self.flash("push", self.demo("v2", "2.0.0")).returncode, 0)

    def test_an_application_that_never_confirms(self):
        self.assert_taken_back("never-confirms", "trial_not_confirmed")

    def test_an_application_that_hangs(self):
        self.assert_taken_back("hangs", "trial_watchdog")

    def test_an_application_that_faults(self):
        self.assert_taken_back("crashes", "trial_not_confirmed")

    def test_an_application_that_confirms_too_late(self):
        self.assert_taken_back("confirms-late", "trial_not_confirmed")

    def test_an_application_that_loses_power_in_each_of_its_trial_boots(self):
        done = self.flash("push", self.demo("never-confirms", "2.9.0"), "--json", "--install-timeout", "2")
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "install_unproven", done.stdout)
        for _ in range(TRIAL_BOOTS):
            self.board.command("power cycle")
            self.info()
        wait_until(lambda: self.info()["running"]["version"] == "1.0.0", timeout=60, what="the way back")
        self.assertEqual(self.assert_v1_runs()["last_outcome"]["status"], "trial_not_confirmed")

    def test_an_application_that_confirms_and_then_dies_can_be_taken_back(self):
        done = self.flash("push", self.demo("dies", "2.5.0"), "--json")
        self.assertEqual(json.loads(done.stdout)["outcome"], "confirmed", done.stdout)
        # It is confirmed: the loader starts it again each time it dies, and the gateway can end that.
        before = self.board.status()["resets"]
        wait_until(lambda: self.board.status()["resets"] > before, timeout=30, what="its death")
        done = self.flash("rollback")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_v1_runs()

    def test_a_confirmed_image_goes_back_while_the_backup_is_intact_and_forth_again(self):
        v2 = self.demo("v2", "2.0.0")
        self.assertEqual(self.flash("push", v2).returncode, 0)
        self.assertEqual(self.info()["backup"]["version"], "1.0.0")
        self.assertEqual(self.flash("rollback").returncode, 0)
        self.assertEqual(self.assert_v1_runs()["last_outcome"]["status"], "rolled_back")
        self.assertEqual(self.flash("push", v2).returncode, 0)
        self.assertEqual(self.info()["running"]["version"], "2.0.0")


class LongTrial(TrialScenario):
    """A trial that takes its 30 seconds also on the clock of the gateway."""

    options = ("--idle-rate", "1")

    def test_a_push_during_a_trial_waits_for_its_end(self):
        done = self.flash("push", self.demo("never-confirms", "2.9.0"), "--json", "--install-timeout", "2")
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "install_unproven", done.stdout)
        v2 = self.demo("v2", "2.0.0")
        done = self.flash("push", v2, "--json", "--install-timeout", "1")
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "device_busy", done.stdout)
        done = self.flash("push", v2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("tries 2.9.0", done.stderr)
        info = self.info()
        self.assertEqual((info["running"]["version"], info["running"]["state"], info["backup"]["version"]),
                         ("2.0.0", "confirmed", "1.0.0"))


if __name__ == "__main__":
    unittest.main()
