"""The self test of the first board's port over every byte of its regions; test_port.py runs the quick one."""

import json
import unittest

from scenario.test_port import PortScenario


class WholeSelfTest(PortScenario):
    def test_the_first_board_passes(self):
        self.power_up("loader-selftest.elf")
        done = self.flash("selftest", "--yes-erase-everything", "--seed", "11", "--json")
        self.assertEqual(done.returncode, 0, f"{done.stdout}{done.stderr}")
        self.assertEqual(json.loads(done.stdout), {"outcome": "passed", "seed": 11})


if __name__ == "__main__":
    unittest.main()
