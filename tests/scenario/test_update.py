"""Whole updates through broker, web server, daemon and board: kills, retries, cancels, local installs, a dead broker."""

import unittest

from rig.plant import firmware
from rig.process import wait_until
from rig.watch import FINISHED
from scenario.plant_case import PlantCase


class Updates(PlantCase):
    boards = {"pump-1": 921600, "pump-2": 460800}

    def test_1_both_boards_are_updated_by_one_push_each_and_a_repeated_push_is_the_same_job(self):
        v2 = self.plant.package("v2.mcup", firmware("demo-v2.bin"), "2.0.0")
        before = {name: self.last_id(name) for name in self.boards}
        for name in self.boards:
            self.offer(name, v2, "2.0.0", place="slow")
            self.plant.cloud.push(self.plant.device(name))
        for name in self.boards:
            job = self.wait_job(name, before[name])
            self.assertEqual(job["state"], "succeeded", job)
            self.assertEqual((job["from_version"], job["to_version"]), ("1.0.0", "2.0.0"))
            self.assertTrue(self.plant.holds(name, firmware("demo-v2.bin")))
            self.plant.cloud.wait_version(self.plant.device(name), "2.0.0")
            made = [j for j in self.plant.jobs().values() if j["device"] == name and j["to_version"] == "2.0.0"]
            self.assertEqual(len(made), 1, made)
            steps = [int(step) for step, _ in self.plant.cloud.progress[(*self.plant.device(name), "")]]
            self.assertEqual(steps, sorted(steps), "progress told upstream never goes back")
            self.assertTrue(all(0 <= step <= 100 for step in steps))

    def test_2_a_local_file_goes_back_to_1_0_0_and_the_same_again_is_nothing_to_do(self):
        v1 = self.plant.package("local-v1.mcup", firmware("demo-v1.bin"), "1.0.0")
        done = self.plant.daemon.cli("install", v1, "--device", "pump-1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.plant.holds("pump-1", firmware("demo-v1.bin")))
        self.assertEqual(self.plant.daemon.cli("install", v1, "--device", "pump-1").returncode, 6)
        self.assertEqual(self.plant.daemon.cli("install", v1, "--device", "nobody").returncode, 3)

    def test_3_a_cancelled_job_leaves_the_device_alone_and_can_be_retried(self):
        v2 = self.plant.package("v2b.mcup", firmware("demo-v2.bin"), "2.0.0")
        before = self.last_id("pump-1")
        self.offer("pump-1", v2, "2.0.0", place="slow")
        job = self.wait_job("pump-1", before, states=("downloading", "sending"))
        self.assertEqual(self.plant.daemon.cli("job", "cancel", job["id"]).returncode, 0)
        self.assertEqual(self.wait_job("pump-1", before)["state"], "cancelled")
        self.assertTrue(self.plant.holds("pump-1", firmware("demo-v1.bin")))
        self.assertEqual(self.plant.daemon.cli("job", "retry", job["id"]).returncode, 0)
        wait_until(lambda: self.newest("pump-1")["state"] == "succeeded", timeout=90, what="the retried job's success",
                   interval=0.2)
        self.assertTrue(self.plant.holds("pump-1", firmware("demo-v2.bin")))

    def test_4_an_update_goes_through_while_the_broker_is_dead_and_is_reported_when_it_is_back(self):
        v1 = self.plant.package("v1b.mcup", firmware("demo-v1.bin"), "1.0.1")
        before = self.last_id("pump-2")
        self.offer("pump-2", v1, "1.0.1", place="slow")
        self.wait_job("pump-2", before, states=("downloading", "verifying", "sending"))
        self.plant.broker.kill()
        job = self.wait_job("pump-2", before)
        self.assertEqual(job["state"], "succeeded", job)
        self.plant.broker.start()
        self.plant.cloud.connect()
        self.plant.cloud.wait_version(self.plant.device("pump-2"), "1.0.1", timeout=60)

    def test_5_kills_at_any_moment_lose_no_job_and_repeat_none(self):
        v2 = self.plant.package("v2c.mcup", firmware("demo-v2.bin"), "2.0.2")
        before = self.last_id("pump-2")
        self.offer("pump-2", v2, "2.0.2", place="slow")
        for state in ("downloading", "sending", "installing", "trial"):
            job = self.wait_job("pump-2", before, states=(state, *FINISHED))
            if job["state"] in FINISHED:
                break
            self.plant.daemon.kill()
            self.plant.daemon.start()
        job = self.wait_job("pump-2", before)
        self.assertEqual(job["state"], "succeeded", job)
        self.assertEqual(len([j for j in self.plant.jobs().values() if j["to_version"] == "2.0.2"]), 1)
        self.assertTrue(self.plant.holds("pump-2", firmware("demo-v2.bin")))
        shown = self.plant.daemon.cli_json("job", "show", job["id"])
        self.assertEqual([t["to"] for t in shown["transitions"]].count("succeeded"), 1)

    def test_6_a_version_that_never_confirms_is_taken_back_and_told(self):
        bad = self.plant.package("bad.mcup", firmware("demo-never-confirms.bin"), "2.9.0")
        before = self.last_id("pump-1")
        version = self.running("pump-1")["version"]
        self.offer("pump-1", bad, "2.9.0")
        job = self.wait_job("pump-1", before)
        self.assertEqual((job["state"], job["error"]["code"]), ("failed", "trial_failed"), job)
        self.assertEqual(self.running("pump-1")["version"], version)
        self.plant.cloud.wait_step(self.plant.device("pump-1"), lambda step: step < 0)

    def test_7_a_person_takes_an_update_back_and_the_cloud_hears_of_it(self):
        before = self.running("pump-2")["version"]
        backup = self.plant.daemon.cli_json("device", "show", "pump-2")["backup"]["version"]
        self.assertNotEqual(before, backup)
        done = self.plant.daemon.cli("rollback", "pump-2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.running("pump-2")["version"], backup)
        self.assertEqual(self.newest("pump-2")["payload"]["kind"], "backup")
        self.plant.cloud.wait_version(self.plant.device("pump-2"), backup)
        self.assertEqual(self.plant.daemon.cli("rollback", "pump-2").returncode, 6)
        self.assertEqual(self.plant.daemon.cli("rollback", "nobody").returncode, 3)

    def test_8_sigterm_ends_the_daemon_at_once_and_reading_commands_still_answer(self):
        self.assertEqual(self.plant.daemon.stop(), 0)
        offline = self.plant.daemon.cli("job", "list", "--json")
        self.plant.daemon.start()
        self.assertIn(offline.returncode, (0, 5), offline.stderr)


if __name__ == "__main__":
    unittest.main()
