"""Differential updates on the board: each format, wrong bases, damaged patches, the choice among several, the fallback to the
next payload, packages in zips; through mcuota-flash and through mcuotad."""

import json
import unittest

from rig import crafted
from rig.plant import HARDWARE, firmware, run_tool
from scenario.plant_case import PlantCase
from scenario.test_flash import KEY, FlashScenario

V1, V2 = firmware("demo-v1.bin"), firmware("demo-v2.bin")
OTHER = firmware("demo-never-confirms.bin")
# Name of the format for mcuota-pack, of the payload in reports, number in a package.
FORMATS = [("hdiffsf20", "hdiffsf20", crafted.HDIFFSF20), ("hdiff13", "hdiff13", crafted.HDIFF13),
           ("mcuota", "relocated", crafted.RELOCATED)]


def create(out, *options, image=V2, version="2.0.0"):
    run_tool("mcuota-pack", "create", "--image", image, "--version", version, "--hardware", HARDWARE, "--key", KEY, "--out", out,
             *options)
    return out


def bare_delta(folder, kind, old, new):
    """What mcuota-pack diff makes."""
    out = folder / f"{old.stem}-{new.stem}.{kind}"
    out.unlink(missing_ok=True)
    run_tool("mcuota-pack", "diff", old, new, out, "--format", kind)
    return out.read_bytes()


def damaged(delta):
    """The same bytes but for some in the middle of its compressed part."""
    at = len(delta) * 2 // 3
    return delta[:at] + bytes(b ^ 0xA5 for b in delta[at:at + 8]) + delta[at + 8:]


class ByHand(FlashScenario):
    """mcuota-flash, against a board that runs v1."""

    def setUp(self):
        super().setUp()
        self.v1, self.v2 = V1.read_bytes(), V2.read_bytes()
        done = self.flash("push", self.demo("v1", "1.0.0"))
        self.assertEqual(done.returncode, 0, done.stderr)

    def push(self, package, code=0):
        done = self.flash("push", package, "--json")
        self.assertEqual(done.returncode, code, f"{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def test_v1_becomes_v2_by_a_delta_of_each_format(self):
        full = self.folder / "full.mcup"
        create(full)
        for name, kind, _ in FORMATS:
            with self.subTest(name):
                package = create(self.folder / f"{name}.mcup", "--base", V1, "--format", name, "--no-full")
                self.assertLess(package.stat().st_size * 4, full.stat().st_size, "a delta of two close images is small")
                pushed = self.push(package)
                self.assertEqual((pushed["outcome"], pushed["payload"]["kind"]), ("confirmed", kind))
                self.assert_holds(self.v2)
                self.assertEqual(self.flash("rollback").returncode, 0)
                self.assert_holds(self.v1)

    def test_the_cheapest_of_several_bases_and_formats_is_taken_by_what_the_board_runs(self):
        package = create(self.folder / "many.mcup", "--base", OTHER, "--base", V1, "--base", firmware("demo-crashes.bin"))
        self.assertEqual(self.push(package)["payload"]["kind"], "relocated")
        self.assert_holds(self.v2)
        # From here no delta leads to v1 again, but the full image does.
        back = create(self.folder / "back.mcup", "--base", OTHER, image=V1, version="1.0.1")
        self.assertIn(self.push(back)["payload"]["kind"], ("lzma", "lzma-thumb", "raw"))
        self.assert_holds(self.v1)

    def test_without_a_payload_for_the_running_image_the_gateway_refuses_and_sends_nothing(self):
        package = create(self.folder / "other.mcup", "--base", OTHER, "--no-full")
        done = self.flash("push", package)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("another one runs", done.stderr)
        self.assert_holds(self.v1)

    def test_a_delta_of_another_base_under_the_right_name_is_refused_by_the_loader_and_v1_stays(self):
        for name, _, number in FORMATS:
            with self.subTest(name):
                wrong = bare_delta(self.folder, name, OTHER, V2)
                package = self.write(f"wrong-{name}.mcup", crafted.delta_package(
                    self.v2, "2.0.0", HARDWARE, KEY, [(number, wrong, self.v1)], full=False))
                error = self.push(package, code=4)["error"]
                self.assertRegex(error["code"], "payload_mismatch|no_fitting_payload")
                self.assert_holds(self.v1)
        self.assertEqual((self.info()["running"]["version"], self.info()["role"]), ("1.0.0", "agent"))

    def test_a_damaged_patch_is_refused_in_rehearsal_and_the_next_payload_follows_by_itself(self):
        for name, kind, number in FORMATS:
            with self.subTest(name):
                bad = damaged(bare_delta(self.folder, name, V1, V2))
                alone = self.write(f"bad-{name}.mcup", crafted.delta_package(
                    self.v2, "2.0.0", HARDWARE, KEY, [(number, bad, self.v1)], full=False))
                self.assertEqual(self.push(alone, code=4)["error"]["code"], "payload_mismatch")
                self.assert_holds(self.v1)
                both = self.write(f"both-{name}.mcup", crafted.delta_package(
                    self.v2, "2.0.0", HARDWARE, KEY, [(number, bad, self.v1)]))
                pushed = self.push(both)
                self.assertEqual(pushed["payload"]["kind"], "raw")
                self.assertEqual([p["kind"] for p in pushed["passed_over"]], [kind])
                self.assertTrue(pushed["passed_over"][0]["reason"])
                self.assert_holds(self.v2)
                self.assertEqual(self.flash("rollback").returncode, 0)

    def test_full_leaves_deltas_out(self):
        package = create(self.folder / "both.mcup", "--base", V1)
        done = self.flash("push", package, "--full", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(json.loads(done.stdout)["payload"]["kind"], ("lzma", "lzma-thumb", "raw"))


class ByDaemon(PlantCase):
    """The same through the cloud, mcuotad and its command."""

    def back_to_v1(self):
        """By hand, so that the next test begins with v1."""
        if self.plant.holds("pump-1", V1):
            return
        v1 = self.plant.package("back.mcup", V1, "1.0.0")
        done = self.plant.daemon.cli("install", v1, "--device", "pump-1")
        self.assertEqual(done.returncode, 0, done.stderr)

    def setUp(self):
        self.back_to_v1()

    def file(self, name):
        folder = self.plant.folder / "packages"
        folder.mkdir(exist_ok=True)
        return folder / name

    def updated_by(self, package, kind, version="2.0.0"):
        before = self.last_id("pump-1")
        self.offer("pump-1", package, version)
        job = self.wait_job("pump-1", before)
        self.assertEqual(job["state"], "succeeded", job)
        self.assertEqual(job["payload"]["kind"], kind)
        self.assertTrue(self.plant.holds("pump-1", V2))
        self.plant.cloud.wait_version(self.plant.device("pump-1"), version)
        return self.plant.daemon.cli_json("job", "show", job["id"])

    def test_each_format_and_the_choice_among_them(self):
        for name, kind, _ in FORMATS:
            with self.subTest(name):
                self.back_to_v1()
                self.updated_by(create(self.file(f"{name}.mcup"), "--base", V1, "--format", name), kind)
        self.back_to_v1()
        job = self.updated_by(create(self.file("choice.mcup"), "--base", OTHER, "--base", V1, version="2.0.1"), "relocated", "2.0.1")
        self.assertLess(job["payload"]["bytes"] * 4, V2.stat().st_size)

    def test_a_damaged_delta_falls_back_to_the_full_image_and_the_job_says_why(self):
        v1, v2 = V1.read_bytes(), V2.read_bytes()
        bad = damaged(bare_delta(self.plant.folder, "mcuota", V1, V2))
        package = self.file("damaged.mcup")
        package.write_bytes(crafted.delta_package(v2, "2.0.2", HARDWARE, KEY, [(crafted.RELOCATED, bad, v1)]))
        job = self.updated_by(package, "raw", "2.0.2")
        self.assertEqual(job["attempts"], 2)
        reasons = [t["reason"] for t in job["transitions"]]
        self.assertTrue(any("relocated passed over" in reason and "next is raw" in reason for reason in reasons), reasons)

    def test_a_job_can_be_retried_with_the_full_image(self):
        package = create(self.file("retry.mcup"), "--base", V1, version="2.0.3")
        before = self.last_id("pump-1")
        self.offer("pump-1", package, "2.0.3", place="slow")
        job = self.wait_job("pump-1", before, states=("downloading",))
        self.assertEqual(self.plant.daemon.cli("job", "cancel", job["id"]).returncode, 0)
        self.assertEqual(self.plant.daemon.cli("job", "retry", job["id"], "--full").returncode, 0)
        job = self.wait_job("pump-1", before, states=("succeeded", "failed"))
        self.assertEqual(job["state"], "succeeded", job)
        self.assertIn(job["payload"]["kind"], ("lzma", "lzma-thumb", "raw"))

    def test_a_zip_with_one_package_is_as_good_as_the_package(self):
        package = create(self.file("zipped.mcup"), "--base", V1, version="2.0.4")
        zipped = self.file("zipped.zip")
        run_tool("mcuota-pack", "zip", package, "--out", zipped)
        self.updated_by(zipped, "relocated", "2.0.4")
        self.back_to_v1()
        done = self.plant.daemon.cli("install", zipped, "--device", "pump-1", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.plant.holds("pump-1", V2))

    def test_a_zip_without_a_package_is_refused_in_words_and_leaves_v1_alone(self):
        zipped = self.file("empty.zip")
        run_tool("/usr/bin/python3", "-m", "zipfile", "-c", zipped, self.plant.folder / "gateway" / "mcuota.toml")
        done = self.plant.daemon.cli("install", zipped, "--device", "pump-1")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("package_malformed", done.stderr)
        self.assertIn("the file handed over", done.stderr)
        self.assertTrue(self.plant.holds("pump-1", V1))


if __name__ == "__main__":
    unittest.main()
