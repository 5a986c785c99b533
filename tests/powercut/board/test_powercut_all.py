"""Every single cut of every kind of job with the small pair and of its deltas; thousands of the demo pair."""

import os
import unittest

from prove_case import ProveCase, changed, image


class EveryCut(ProveCase):
    def test_every_cut_of_every_kind_of_job(self):
        old = self.write("old.bin", image(3000, 1))
        package = self.package(self.write("new.bin", image(2500, 2)))
        self.assert_proven(self.prove(package, old, "--cuts", "all"), 30000)

    def test_every_cut_of_deltas(self):
        base = image(6000, 3)
        old, new = self.write("old.bin", base), self.write("new.bin", changed(base, 4))
        for kind in ("hdiffsf20", "hdiff13"):
            with self.subTest(kind=kind):
                package = self.package(new, old, formats=(kind,))
                result = self.prove(package, old, "--cuts", "all", "--scenario", "install", "--payload", kind)
                self.assert_proven(result, 9000)

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

    def test_the_demo_pair_survives_cuts_in_every_kind_of_job(self):
        old, new = (os.path.join(self.firmware, f"demo-v{version}.bin") for version in (1, 2))
        package = self.package(new, old, "stm32f429-demo")
        for kind in ("relocated", "lzma-thumb"):
            with self.subTest(kind=kind):
                self.assert_proven(self.prove(package, old, "--cuts", "1200", "--payload", kind), 6000)

    def test_the_demo_pair_confirms_itself_through_every_cut(self):
        old = os.path.join(self.firmware, "demo-v1.bin")
        package = self.package(os.path.join(self.firmware, "demo-v2.bin"), old, "stm32f429-demo")
        result = self.prove(package, old, "--cuts", "400", "--executes", "--scenario", "install")
        self.assert_proven(result, 400)


if __name__ == "__main__":
    unittest.main()
