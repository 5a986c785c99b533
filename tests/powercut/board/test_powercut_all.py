"""Every single cut: of the demo pair in every kind of job and with every kind of payload, and of small pairs where only they show
something else."""

import os
import unittest

from prove_case import ProveCase, image


class DemoPair(ProveCase):
    """The demo application and its update, 55 KB in one sector of flash. CTest runs each test alone: both cores are busy."""

    def every_cut(self, *scenarios, formats=(), payload=None, cuts):
        old, new = (os.path.join(self.firmware, f"demo-v{version}.bin") for version in (1, 2))
        package = self.package(new, old, "stm32f429-demo", formats)
        arguments = [argument for name in scenarios for argument in ("--scenario", name)]
        if payload:
            arguments += ["--payload", payload]
        result = self.prove(package, old, "--cuts", "all", *arguments)
        self.assertEqual([scenario["scenario"] for scenario in result["scenarios"]], list(scenarios))
        self.assertEqual((result["bricked"], result["failed"]), (0, []))
        for scenario in result["scenarios"]:  # six at each operation, none left out
            with self.subTest(scenario=scenario["scenario"]):
                self.assertLessEqual(scenario["cuts"], 6 * scenario["operations"])
                if scenario["scenario"] not in ("staging", "ahead-begun"):  # only their transfer is cut
                    self.assertEqual(scenario["cuts"], 6 * scenario["operations"])
        self.assertGreaterEqual(result["cuts"], cuts)
        if payload:
            self.assertEqual(result["payload"], payload)

    def test_install_relocated(self):
        self.every_cut("install", formats=("mcuota",), payload="relocated", cuts=80000)

    def test_install_hdiffsf20(self):
        self.every_cut("install", formats=("hdiffsf20",), payload="hdiffsf20", cuts=80000)

    def test_install_hdiff13(self):
        self.every_cut("install", formats=("hdiff13",), payload="hdiff13", cuts=80000)

    def test_install_full(self):
        self.every_cut("install", payload="lzma-thumb", cuts=80000)

    def test_revert(self):
        self.every_cut("revert", cuts=160000)

    def test_hang(self):
        self.every_cut("hang", cuts=160000)

    def test_rollback_and_damaged_backups(self):
        self.every_cut("rollback", "rollback-damaged", "revert-damaged", cuts=80000)

    def test_journal(self):
        self.every_cut("journal", "wrong-image", "confirm", "staging", cuts=80000)

    def test_rotation(self):
        self.every_cut("rotation", cuts=80000)

    def test_rotation_again(self):
        self.every_cut("rotation-again", cuts=80000)

    def test_first(self):
        self.every_cut("first", cuts=80000)

    def test_recovery(self):
        self.every_cut("recovery", cuts=80000)

    def test_ahead(self):
        self.every_cut("ahead", "ahead-begun", cuts=80000)

    def test_ahead_revert(self):
        self.every_cut("ahead-revert", cuts=160000)

    def test_ahead_rollback(self):
        self.every_cut("ahead-rollback", cuts=80000)


class Others(ProveCase):
    def test_every_cut_of_an_uncompressed_image(self):
        old = self.write("old.bin", image(3000, 1))
        package = self.package(self.write("new.bin", image(2500, 2)))
        self.assert_proven(self.prove(package, old, "--cuts", "all", "--payload", "raw"), 30000)

    def test_sizes_at_the_borders_of_a_sector(self):
        for size in (128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1):
            with self.subTest(size=size):
                old = self.write("old.bin", image(2000, 9))
                package = self.package(self.write("new.bin", image(size, 10)))
                self.assert_proven(self.prove(package, old, "--cuts", "150", "--scenario", "install"), 150)

    def test_other_sector_maps(self):
        old = self.write("old.bin", image(64, 11))
        package = self.package(self.write("new.bin", image(48, 12)))
        for part in ("1MB-dual", "2MB"):
            with self.subTest(part=part):
                self.assert_proven(self.prove(package, old, "--cuts", "all", "--part", part), 2000)

    def test_the_loader_of_the_2_mb_board(self):
        old, new = (os.path.join(self.firmware, f"demo-2mb-v{version}.bin") for version in (1, 2))
        package = self.package(new, old, "stm32f429-2mb")
        loader = os.path.join(self.firmware, "loader-2mb.elf")
        result = self.prove(package, old, "--cuts", "600", "--loader", loader, "--part", "2MB", "--nor-part", "W25Q256")
        self.assert_proven(result, 3000)

    def test_the_demo_pair_confirms_itself_through_every_cut(self):
        old = os.path.join(self.firmware, "demo-v1.bin")
        package = self.package(os.path.join(self.firmware, "demo-v2.bin"), old, "stm32f429-demo")
        result = self.prove(package, old, "--cuts", "400", "--executes", "--scenario", "install")
        self.assert_proven(result, 400)

    def test_the_demo_application_makes_its_backup_ahead_through_every_cut(self):
        old = os.path.join(self.firmware, "demo-v1.bin")
        package = self.package(os.path.join(self.firmware, "demo-v2.bin"), old, "stm32f429-demo")
        result = self.prove(package, old, "--cuts", "all", "--executes", "--scenario", "ahead-begun")
        self.assert_proven(result, 1400)


if __name__ == "__main__":
    unittest.main()
