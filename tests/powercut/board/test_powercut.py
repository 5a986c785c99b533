"""Cuts of every kind of job on the real ARM loader: a share that is spread evenly, quick enough for every day."""

import unittest

from prove_case import ProveCase, changed, image


class PowerCut(ProveCase):
    def test_every_kind_of_job_survives_cuts_with_a_full_image(self):
        old = self.write("old.bin", image(3000, 1))
        package = self.package(self.write("new.bin", image(2500, 2)))
        result = self.prove(package, old, "--cuts", "40", "--pubkey", self.path("key.pub.pem"))
        self.assert_proven(result, 200)
        self.assertEqual({s["scenario"] for s in result["scenarios"]},
                         {"install", "revert", "hang", "rollback", "journal"})
        install = next(s for s in result["scenarios"] if s["scenario"] == "install")
        # The cuts hit every phase that writes, not only the longest.
        self.assertLessEqual({"applying", "idle", "backing up"}, set(install["states"]))

    def test_deltas_survive_cuts(self):
        base = image(6000, 3)
        old = self.write("old.bin", base)
        package = self.package(self.write("new.bin", changed(base, 4)), old)
        result = self.prove(package, old, "--cuts", "40", "--scenario", "install")
        self.assertIn(result["payload"], ("hdiffsf20", "hdiff13", "relocated"))
        self.assert_proven(result, 40)

    def test_two_cuts_in_one_run_are_survived(self):
        old = self.write("old.bin", image(1500, 5))
        package = self.package(self.write("new.bin", image(1200, 6)))
        result = self.prove(package, old, "--cuts", "15", "--depth", "2", "--scenario", "install", "--scenario",
                            "revert")
        self.assert_proven(result, 30)

    def test_a_cut_is_repeated_by_its_id(self):
        old = self.write("old.bin", image(900, 7))
        package = self.package(self.write("new.bin", image(800, 8)))
        result = self.prove(package, old, "--only", "install:20.looks-done")
        self.assert_proven(result, 1)
        self.assertEqual(result["cuts"], 1)


if __name__ == "__main__":
    unittest.main()
