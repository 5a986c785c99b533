"""Cuts of every kind of job on the real ARM loader: a share that is spread evenly, quick enough for every day."""

import json
import os
import unittest

from prove_case import ProveCase, changed, image


class PowerCut(ProveCase):
    def test_every_kind_of_job_survives_cuts_with_a_full_image(self):
        old = self.write("old.bin", image(3000, 1))
        package = self.package(self.write("new.bin", image(2500, 2)))
        result = self.prove(package, old, "--cuts", "220", "--pubkey", self.path("key.pub.pem"))
        self.assert_proven(result, 1100)
        self.assertEqual({s["scenario"] for s in result["scenarios"]},
                         {"install", "revert", "hang", "rollback", "journal"})
        install = next(s for s in result["scenarios"] if s["scenario"] == "install")
        # The cuts hit every phase that writes, not only the longest.
        self.assertLessEqual({"applying", "idle", "backing up", "install requested"}, set(install["states"]))
        # Each kind of harm had its turn.
        self.assertGreaterEqual(result["resets"], 5 * 36)

    def test_every_kind_of_delta_survives_cuts(self):
        base = image(6000, 3)
        old, new = self.write("old.bin", base), self.write("new.bin", changed(base, 4))
        demo = [os.path.join(self.firmware, f"demo-v{version}.bin") for version in (1, 2)]
        for kind, pair in (("hdiffsf20", (old, new)), ("hdiff13", (old, new)), ("relocated", demo)):
            with self.subTest(kind=kind):
                arguments = ["--format", "mcuota" if kind == "relocated" else kind]
                package = self.package(pair[1], pair[0], formats=arguments[1:])
                result = self.prove(package, pair[0], "--cuts", "130", "--scenario", "install", "--payload", kind)
                self.assertEqual(result["payload"], kind)
                self.assert_proven(result, 130)

    def test_what_may_not_run_does_not_run_whatever_is_cut(self):
        old = self.write("old.bin", image(64, 11))
        package = self.package(self.write("new.bin", image(48, 12)))
        runs = {}
        for scenario in ("confirm", "wrong-image", "revert-damaged", "rollback-damaged"):
            result = self.prove(package, old, "--cuts", "all", "--scenario", scenario)
            self.assertEqual((result["bricked"], result["failed"]), (0, []))
            self.assertGreaterEqual(result["cuts"], 30)
            runs[scenario] = (result["ended_old"], result["ended_new"], result["cuts"])
        # What must run was the first to run after every cut; with a damaged backup the old image never ran.
        self.assertEqual(runs["confirm"][1], runs["confirm"][2])
        self.assertEqual(runs["wrong-image"][0], runs["wrong-image"][2])
        self.assertEqual(runs["rollback-damaged"][1], runs["rollback-damaged"][2])
        self.assertEqual(runs["revert-damaged"][0], 0)

    def test_key_rotations_and_interrupted_transfers_survive_cuts(self):
        old = self.write("old.bin", image(64, 11))
        package = self.package(self.write("new.bin", image(9000, 12)))  # several units of the download
        result = self.prove(package, old, "--cuts", "all", "--scenario", "staging")
        self.assert_proven(result, 60)
        self.assertGreaterEqual(result["scenarios"][0]["states"]["idle"], result["cuts"] * 9 // 10)
        package = self.package(self.write("new.bin", image(48, 12)))
        whole, rotated = self.prove(package, old, "--cuts", "150", "--scenario", "install", "--scenario",
                                    "rotation")["scenarios"]
        for result in (whole, rotated):
            self.assertEqual((result["bricked"], result["failed"], set(result["ends"])), (0, [], {"0x0000 new"}))
        # The rotations themselves were cut, too.
        self.assertGreater(rotated["operations"], whole["operations"])

    def test_two_cuts_in_one_run_are_survived(self):
        old = self.write("old.bin", image(1500, 5))
        package = self.package(self.write("new.bin", image(1200, 6)))
        result = self.prove(package, old, "--cuts", "30", "--depth", "2", "--scenario", "install", "--scenario",
                            "revert")
        self.assert_proven(result, 60)

    def test_a_cut_is_repeated_by_its_id(self):
        old = self.write("old.bin", image(900, 7))
        package = self.package(self.write("new.bin", image(800, 8)))
        result = self.prove(package, old, "--only", "install:20.looks-done")
        self.assert_proven(result, 1)
        self.assertEqual(result["cuts"], 1)

    def test_what_cannot_be_proven_does_not_count_as_bricked(self):
        old = self.write("old.bin", image(900, 7))
        package = self.package(self.write("new.bin", image(800, 8)))
        too_large = self.write("large.bin", image(1 << 20, 9))
        for base, arguments, code in ((old, ("--scenario", "nonsense"), 2), (old, ("--only", "install:99999.mixed"), 2),
                                      (old, ("--only", "nonsense"), 2), (old, ("--loader", old), 2),
                                      (too_large, ("--scenario", "install"), 2), (self.path("none.bin"), (), 3),
                                      (old, ("--board", self.path("none")), 3)):
            with self.subTest(arguments=arguments):
                said = json.loads(self.pack("prove", package, "--base", base, *arguments, "--json", code=code))
                self.assertEqual(set(said), {"error"})

    def test_what_was_learnt_of_calls_and_states_changes_no_result(self):
        old = self.write("old.bin", image(900, 9))
        package = self.package(self.write("new.bin", image(800, 10)))
        arguments = ("--cuts", "12", "--scenario", "revert")
        with_memory = self.prove(package, old, *arguments)
        without = self.prove(package, old, *arguments, "--no-memory")
        self.assertGreater(with_memory["scenarios"][0]["merged"], 0)
        # Some ended where only cells differed that nobody looks at before they are erased.
        self.assertGreater(with_memory["scenarios"][0]["unseen"], 2)
        self.assertEqual(without["scenarios"][0]["merged"], 0)
        self.assertEqual(with_memory["scenarios"][0]["ends"].keys(), without["scenarios"][0]["ends"].keys())
        self.assertEqual(sum(without["scenarios"][0]["ends"].values()), 12)
        for result in (with_memory, without):
            self.assert_proven(result, 12)
            for key in ("milliseconds", "merged", "unseen", "ends"):
                del result["scenarios"][0][key]
        self.assertEqual(with_memory["scenarios"], without["scenarios"])


if __name__ == "__main__":
    unittest.main()
