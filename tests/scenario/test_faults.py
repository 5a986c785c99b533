"""Memory that fails while the power is good, on the loader's real binary: each fault ends in a bounded number of starts, in a
sound state, with the reason told."""

import json
import random
import unittest

from rig.plant import firmware
from rig.process import wait_until
from scenario.test_flash import LOAD_ADDRESS, FlashScenario

SECTOR = 128 * 1024
SECTOR_NUMBER = 5                      # of the internal flash, at LOAD_ADDRESS
JOURNAL_A, JOURNAL_B = 0x0000, 0x4000  # mcu_loader/SPEC.md section 1: first erase units of the flag regions in the NOR
MANIFEST_SLOT_B = 0x5000
STAGED = 0x3E0000                      # first byte of a staged envelope
BACKUP_BANKS = (0x010000, 0x1F0000)
STARTS_MAX = 5                         # of the loader, for one installation that fails


class Faults(FlashScenario):
    """A board that runs 1.0.0; then something breaks."""

    def setUp(self):
        super().setUp()
        self.v1 = firmware("demo-v1.bin").read_bytes()
        self.v2 = self.demo("v2", "2.0.0")
        done = self.flash("push", self.demo("v1", "1.0.0"))
        self.assertEqual(done.returncode, 0, done.stderr)

    def break_(self, *faults):
        for fault in faults:
            answer = self.board.command(f"fault {fault}")
            self.assertTrue(answer["ok"], answer)

    def mend(self):
        self.assertTrue(self.board.command("fault none")["ok"])

    def push(self, package, *options):
        """Its JSON document; the board's starts meanwhile are counted."""
        before = self.board.status()["resets"]
        done = self.flash("push", package, "--json", *options)
        starts = self.board.status()["resets"] - before
        self.assertLessEqual(starts, STARTS_MAX, f"{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def assert_fails_with(self, status, package, *options):
        error = self.push(package, *options)["error"]
        self.assertEqual((error["code"], error.get("device_status")), ("device_storage_failed", status), error)
        self.assertGreater(self.board.status()["fault_hits"], 0, "the fault made no difference")
        return error

    def assert_v1_runs(self):
        info = self.info()
        self.assertEqual((info["role"], info["running"]["version"], info["running"]["state"]), ("agent", "1.0.0", "confirmed"))
        self.assert_holds(self.v1)

    def large(self, version):
        """v2 with a second sector behind it: the first sector alone decides what runs."""
        image = firmware("demo-v2.bin").read_bytes()
        image += random.Random(7).randbytes(SECTOR + 1000 - len(image))
        return self.package(image, version)

    def damage_backup(self):
        """One bit of it, wherever it lies."""
        self.board.stop()
        with self.board.nor.open("r+b") as file:
            content = file.read()
            at = content.find(self.v1[:4096], BACKUP_BANKS[0])
            self.assertIn(at, BACKUP_BANKS)
            file.seek(at + 5000)
            byte = file.read(1)[0]
            file.seek(at + 5000)
            file.write(bytes([byte ^ 0x10]))
        self.board.start()


class InternalFlash(Faults):
    def test_a_word_that_will_not_program_takes_the_update_back(self):
        self.break_(f"flash-program:{LOAD_ADDRESS + SECTOR + 512:#x}")
        error = self.assert_fails_with("flash_program_failed", self.large("2.0.0"))
        self.assertIn("1.0.0", error["message"])
        self.assert_v1_runs()
        # Its log says how often it was tried, and an image that does not need the word goes through.
        tries = [line for line in json.loads(self.flash("log", "--json").stdout)["lines"] if " applying " in line and "tries" in line]
        self.assertTrue(any("tries 3" in line for line in tries), tries)
        self.assertEqual(self.flash("push", self.v2).returncode, 0)

    def test_a_sector_that_will_not_erase_keeps_the_old_application_running(self):
        self.break_(f"flash-erase:{SECTOR_NUMBER}")
        for version in ("2.0.0", "2.0.1"):
            self.assert_fails_with("flash_erase_failed", self.demo("v2", version))
            self.assert_v1_runs()
        self.mend()
        self.assertEqual(self.flash("push", self.v2).returncode, 0)

    def test_a_word_of_the_only_sector_leaves_a_loader_that_says_so_and_takes_the_next_package(self):
        self.break_(f"flash-program:{LOAD_ADDRESS + 256:#x}")
        error = self.assert_fails_with("flash_program_failed", self.v2)
        self.assertIn("no application runs", error["message"])
        info = self.info()
        self.assertEqual((info["role"], info["stay_reason"], info["running"]["state"]), ("loader", "flash_program_failed", "damaged"))
        # It waits: nothing is tried again by itself.
        before = self.board.status()
        self.info()
        after = self.board.status()
        self.assertEqual((after["resets"], after["flash_programs"]), (before["resets"], before["flash_programs"]))
        self.mend()
        self.assertEqual(self.flash("push", self.v2).returncode, 0)
        self.assertEqual(self.info()["running"]["version"], "2.0.0")

    def test_power_gives_the_old_application_another_try(self):
        self.break_(f"flash-program:{LOAD_ADDRESS + 256:#x}")
        self.assert_fails_with("flash_program_failed", self.v2)
        self.mend()
        self.board.command("power cycle")
        self.assert_v1_runs()
        self.assertEqual(self.info()["last_outcome"]["status"], "flash_program_failed", "what was told stays told")


class Nor(Faults):
    def test_a_staging_area_that_takes_nothing_refuses_the_package(self):
        self.break_(f"nor-worn:{STAGED + 0x2000:#x}")
        self.assert_fails_with("nor_verify_failed", self.v2)
        self.assert_v1_runs()

    def test_a_chip_that_hangs_while_a_package_arrives(self):
        self.break_("nor-busy:20")
        self.assert_fails_with("nor_timeout", self.v2)
        info = self.info()
        self.assertEqual((info["role"], info["stay_reason"]), ("agent", "nor_timeout"), "the application runs on and says what is wrong")
        self.assert_holds(self.v1)
        # Not even the journal can be read at the next start: the loader says why, and starts nothing it cannot prove.
        self.board.command("reset")
        info = self.info()
        self.assertEqual((info["role"], info["stay_reason"]), ("loader", "nor_timeout"))
        self.assert_fails_with("nor_timeout", self.v2)
        self.mend()
        self.board.command("reset")
        self.assert_v1_runs()

    def test_a_chip_that_hangs_during_the_installation_and_works_again_after_a_power_cycle(self):
        for operations in (0, 2, 6):
            with self.subTest(operations=operations):
                # Counted from the reset into the loader, which is to install.
                self.break_(f"nor-busy:{operations}:after-reset")
                error = self.push(self.v2)["error"]
                self.assertIn(error["device_status"], ("nor_timeout", "journal_failed"), error)
                self.assert_holds(self.v1)
                self.mend()
                self.board.command("power cycle")
                # What was asked for is done now, or was given up; either way the next job is taken.
                done = self.flash("push", self.v2)
                self.assertIn(done.returncode, (0, 6), done.stderr)
                self.assertEqual(self.info()["running"]["version"], "2.0.0")
                done = self.flash("push", self.demo("v1", "1.0.0"))
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_another_chip_than_expected(self):
        self.break_("nor-id:C84018")
        # The application has looked at the chip when it started; the loader does when it is to install.
        self.assert_fails_with("nor_id_wrong", self.v2)
        info = self.info()
        self.assertEqual((info["role"], info["stay_reason"], info["jedec_id"]), ("loader", "nor_id_wrong", 0xC84018))
        rollback = self.flash("rollback")
        self.assertEqual(rollback.returncode, 1, rollback.stderr)
        self.assertIn("does not identify itself", rollback.stderr)
        self.assert_holds(self.v1)
        self.mend()
        self.board.command("reset")
        # What was asked for before the chip was swapped is still in its journal, and is done now.
        self.assertEqual(self.flash("push", self.v2).returncode in (0, 6), True)
        self.assertEqual(self.info()["running"]["version"], "2.0.0")

    def test_a_bit_that_flips_once_on_its_way_harms_nothing(self):
        self.break_(f"nor-read:{STAGED + 0x100:#x}:0x10:once", f"nor-read:{JOURNAL_A + 4:#x}:0x01:once")
        self.assertEqual(self.push(self.v2)["outcome"], "confirmed")
        self.assertGreater(self.board.status()["fault_hits"], 0)

    def test_a_bit_that_always_reads_wrong_in_the_backup_is_found_when_it_is_written(self):
        self.break_(*(f"nor-read:{bank + 0x1234:#x}" for bank in BACKUP_BANKS))
        self.assert_fails_with("nor_verify_failed", self.v2)
        self.assert_v1_runs()

    def test_a_worn_journal_sector_is_left_for_the_other_one(self):
        self.break_(f"nor-worn:{JOURNAL_A:#x}")
        self.assertEqual(self.push(self.v2)["outcome"], "confirmed")
        self.board.command("reset")
        self.assertEqual(self.info()["running"]["version"], "2.0.0")

    def test_two_worn_journal_sectors_refuse_every_installation(self):
        self.break_(f"nor-worn:{JOURNAL_A:#x}", f"nor-worn:{JOURNAL_B:#x}")
        self.assert_fails_with("journal_failed", self.v2)
        self.assert_v1_runs()
        self.board.command("reset")
        self.assert_v1_runs()

    def test_a_manifest_slot_that_takes_nothing(self):
        self.break_(f"nor-worn:{MANIFEST_SLOT_B:#x}")
        self.assert_fails_with("nor_verify_failed", self.v2)
        self.assert_v1_runs()


class DamagedBackup(Faults):
    """The agent proves the backup while the application runs."""

    def wait_backup(self, state):
        """The agent looks at it while nobody talks to the device."""
        def seen():
            backup = self.info()["backup"]
            return backup if backup["state"] == state else None
        return wait_until(seen, timeout=60, what=f"a {state} backup", interval=1)

    def test_damage_is_told_before_the_backup_is_needed_and_a_rollback_is_refused(self):
        self.assertEqual(self.flash("push", self.v2).returncode, 0)
        self.damage_backup()
        self.assertEqual(self.wait_backup("damaged")["version"], "1.0.0")
        self.assertIn("damaged", self.flash("info").stdout)
        done = self.flash("rollback", "--json")
        self.assertEqual(json.loads(done.stdout)["error"]["device_status"], "backup_damaged", done.stdout)
        self.assertEqual(self.info()["running"]["version"], "2.0.0")
        # The next installation makes a new backup.
        self.assertEqual(self.flash("push", self.demo("v1", "3.0.0")).returncode, 0)
        self.assertEqual(self.info()["backup"]["version"], "2.0.0")
        self.assertEqual(self.flash("rollback").returncode, 0)
        self.assertEqual(self.info()["running"]["version"], "2.0.0")


class DamagedBackupInATrial(Faults):
    """The trial takes its 30 seconds also on the clock of the gateway: time to damage the backup in."""

    options = ("--idle-rate", "1")

    def test_a_trial_that_fails_with_a_damaged_backup_leaves_a_loader_that_says_so(self):
        bad = self.demo("never-confirms", "2.9.0")
        done = self.flash("push", bad, "--json", "--install-timeout", "2")
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "install_unproven", done.stdout)
        self.damage_backup()
        before = self.board.status()["resets"]
        wait_until(lambda: self.info()["role"] == "loader", timeout=60, what="the loader", interval=0.5)
        info = self.info()
        self.assertEqual((info["role"], info["running"]["state"]), ("loader", "damaged"))
        self.assertIn(info["stay_reason"], ("trial_not_confirmed", "backup_damaged"))
        self.assertLessEqual(self.board.status()["resets"] - before, 4)
        self.assertEqual(self.flash("push", self.v2).returncode, 0)


if __name__ == "__main__":
    unittest.main()
