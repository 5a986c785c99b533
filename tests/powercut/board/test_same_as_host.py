"""The loader's decisions on the host and the ARM loader that ships: the same jobs, the same ends."""

import json
import os
import subprocess
import unittest

from prove_case import ProveCase, image

# Kinds of jobs that both sweeps have, and what the host calls those it calls otherwise.
KINDS = ("install", "confirm", "revert", "hang", "rollback", "wrong-image", "revert-damaged", "rotation", "rotation-again",
         "first", "recovery", "ahead", "ahead-begun", "ahead-revert", "ahead-rollback")
ON_HOST = {"install": "full", "hang": "revert-watchdog"}
# So many cuts of each kind on the board meet every end there is.
CUTS = "96"


class SameAsHost(ProveCase):
    def on_host(self, kind):
        """Phases of the undisturbed job, and the ends its cuts led to, of the loader's core on the host."""
        program = os.path.join(self.binaries, "mcuota_cut_sweep")
        done = subprocess.run([program, "--json", "--mode", "single", "--geometry", "f429", "--size", "pair",
                               "--scenario", kind], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        result = json.loads(done.stdout)
        self.assertGreater(result["cuts"], 100)
        ends = set(result["ends"])
        if kind == "first":  # the board's prover brings the base image onto the blank device
            ends = {end.replace("new", "old") for end in ends}
        return [phase.replace("_", " ") for phase in result["phases"]], ends

    def test_jobs_pass_the_same_phases_and_come_to_the_same_ends(self):
        old = self.write("old.bin", image(64, 11))  # as the host's "pair"
        package = self.package(self.write("new.bin", image(48, 12)))
        arguments = [argument for kind in KINDS for argument in ("--scenario", kind)]
        result = self.prove(package, old, "--cuts", CUTS, "--payload", "raw", *arguments)
        self.assertEqual(result["bricked"], 0, result["failed"])
        self.assertEqual([scenario["scenario"] for scenario in result["scenarios"]], list(KINDS))
        for scenario in result["scenarios"]:
            with self.subTest(kind=scenario["scenario"]):
                phases, ends = self.on_host(ON_HOST.get(scenario["scenario"], scenario["scenario"]))
                self.assertEqual(scenario["phases"], phases)
                self.assertEqual(set(scenario["ends"]), ends)


if __name__ == "__main__":
    unittest.main()
