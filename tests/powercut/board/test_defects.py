"""Loaders that are broken on purpose: the proof must find them."""

import os
import unittest

from prove_case import ProveCase, image


class Defects(ProveCase):
    def bricked(self, loader, scenario):
        """The proof of `loader`, which finds cuts it does not survive, with a pair so small that all can be tried."""
        old = self.write("old.bin", image(64, 11))
        package = self.package(self.write("new.bin", image(48, 12)))
        path = os.path.join(self.firmware, loader + ".elf")
        result = self.prove(package, old, "--cuts", "all", "--scenario", scenario, "--loader", path, code=4)
        self.assertGreater(result["bricked"], 0)
        again = self.prove(package, old, "--only", result["failed"][0], "--loader", path, code=4)
        self.assertEqual(again["failed"], result["failed"][:1])  # the id repeats it
        return result

    def test_a_journal_record_that_counts_without_its_crc_is_found(self):
        self.bricked("defect-journal-unsealed", "revert")

    def test_an_application_that_is_touched_before_the_package_is_proven_is_found(self):
        self.bricked("defect-erase-before-rehearsal", "wrong-image")

    def test_a_backup_that_is_put_back_unchecked_is_found(self):
        for scenario in ("revert-damaged", "rollback-damaged"):
            with self.subTest(scenario=scenario):
                self.bricked("defect-backup-unchecked", scenario)

    def test_an_erase_unit_in_flight_that_is_believed_when_it_reads_right_is_found(self):
        broken = self.bricked("defect-dirty-bits-forgotten", "install")
        self.assertTrue(any(one.endswith(".looks-done") for one in broken["failed"]), broken["failed"])
        # It looks at the unit before it erases it: the prover does not take its runs as equal.
        sound = self.prove(self.path("new.mcup"), self.path("old.bin"), "--cuts", "all", "--scenario", "install")
        self.assertLess(broken["scenarios"][0]["unseen"], sound["scenarios"][0]["unseen"] // 2)


if __name__ == "__main__":
    unittest.main()
