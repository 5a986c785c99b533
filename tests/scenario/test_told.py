"""What mcuotad tells and does when a device's memory fails, its backup is damaged, or new images fail their trial."""

import unittest

from rig.plant import firmware
from rig.process import wait_until
from scenario.plant_case import PlantCase
from scenario.test_faults import BACKUP_BANKS, SECTOR_NUMBER


class FailingMemory(PlantCase):
    """Job, device, status and log."""

    daemon_config = {"policy": {"backoff_min_s": 1, "backoff_max_s": 1}}

    def test_1_an_update_the_internal_flash_does_not_take(self):
        self.plant.boards["pump-1"].command(f"fault flash-erase:{SECTOR_NUMBER}")
        before = self.last_id("pump-1")
        self.offer("pump-1", self.plant.package("v2.mcup", firmware("demo-v2.bin"), "2.0.0"), "2.0.0")
        job = self.wait_job("pump-1", before)
        shown = self.plant.daemon.cli_json("job", "show", job["id"])
        self.assertEqual((shown["state"], shown["error"]["code"]), ("failed", "device_storage_failed"), shown)
        self.assertIn("sector would not erase", shown["error"]["message"])
        self.assertTrue(shown["error"]["next"])
        self.assertIn("sector would not erase", self.plant.daemon.cli("job", "show", job["id"]).stdout)
        self.assert_untouched("pump-1")
        self.plant.boards["pump-1"].command("fault none")

    def test_2_a_damaged_backup_is_warned_of(self):
        done = self.plant.daemon.cli("install", self.plant.package("v3.mcup", firmware("demo-v2.bin"), "3.0.0"), "--device", "pump-1")
        self.assertEqual(done.returncode, 0, done.stderr)
        board = self.plant.boards["pump-1"]
        v1 = firmware("demo-v1.bin").read_bytes()
        at = board.nor.read_bytes().find(v1[:4096], BACKUP_BANKS[0])
        self.assertIn(at, BACKUP_BANKS)
        board.command(f"fault nor-read:{at + 3000:#x}")
        board.command("reset")

        def damaged():
            self.plant.daemon.cli("device", "refresh", "pump-1")
            return self.plant.daemon.cli_json("device", "show", "pump-1")["backup"]["state"] == "damaged"
        wait_until(damaged, timeout=60, what="the damaged backup", interval=1)
        self.assertEqual(self.plant.daemon.cli_json("device", "show", "pump-1")["backup"]["version"], "1.0.0")
        self.assertIn("backup damaged", self.plant.daemon.cli("status").stdout)
        self.assertIn("there is nothing to go back to", self.plant.daemon.cli("device", "show", "pump-1").stdout)
        self.plant.daemon.process.wait_line("backup image 1.0.0 is damaged", timeout=5)
        done = self.plant.daemon.cli("rollback", "pump-1")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("is damaged", done.stderr)
        board.command("fault none")


class FailedTrials(PlantCase):
    """Jobs, and what becomes of further offers."""

    def test_1_a_version_that_was_taken_back_twice_is_not_installed_again_for_ever(self):
        bad = self.plant.package("hangs.mcup", firmware("demo-crashes.bin"), "2.9.0")
        board = self.plant.boards["pump-1"]
        for _ in range(2):
            before = self.last_id("pump-1")
            self.offer("pump-1", bad, "2.9.0")
            self.plant.cloud.push(self.plant.device("pump-1"))
            job = self.wait_job("pump-1", before)
            self.assertEqual((job["state"], job["error"]["code"]), ("failed", "trial_failed"), job)
            self.assertIn("did not confirm itself", job["error"]["message"])
            self.assert_untouched("pump-1")
        starts, last = board.status()["resets"], self.last_id("pump-1")
        seen = len(self.plant.daemon.process.lines)
        for _ in range(3):
            self.offer("pump-1", bad, "2.9.0")
            self.plant.cloud.push(self.plant.device("pump-1"))
            seen, _ = self.plant.daemon.process.wait_line("failed_before", timeout=20, start=seen)
            seen += 1
        self.assertEqual(self.last_id("pump-1"), last, "no further job was made")
        self.assertEqual(board.status()["resets"], starts, "and the device was left alone")

    def test_2_a_confirmed_image_that_dies_is_taken_back_by_a_person(self):
        before = self.last_id("pump-1")
        self.offer("pump-1", self.plant.package("dies.mcup", firmware("demo-dies.bin"), "2.5.0"), "2.5.0")
        self.plant.cloud.push(self.plant.device("pump-1"))
        self.assertEqual(self.wait_job("pump-1", before)["state"], "succeeded")
        done = self.plant.daemon.cli("rollback", "pump-1")
        self.assertEqual(done.returncode, 0, f"{done.stdout}{done.stderr}")
        self.assert_untouched("pump-1")


if __name__ == "__main__":
    unittest.main()
