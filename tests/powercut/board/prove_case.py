"""Makes packages and runs `mcuota-pack prove` on them: power cuts of the real ARM loader on the virtual board."""

import json
import os
import random
import struct
import subprocess
import tempfile
import unittest

LOAD_ADDRESS = 0x08020000


def image(size, seed):
    """An application known by its bytes: start vectors the loader accepts, then noise."""
    body = bytearray(random.Random(seed).randbytes(size))
    body[0:8] = struct.pack("<II", 0x20010000, LOAD_ADDRESS + 9)
    return bytes(body)


def changed(old, seed):
    """A successor of `old` that differs in a few places, as a small fix does."""
    body = bytearray(old)
    source = random.Random(seed)
    for _ in range(6):
        at = source.randrange(16, len(body) - 8)
        body[at:at + 4] = source.randbytes(4)
    return bytes(body)


class ProveCase(unittest.TestCase):
    """One test with a folder and a signing key of its own."""

    binaries = os.environ["MCUOTA_BIN_DIR"]
    firmware = os.environ["MCUOTA_FIRMWARE_DIR"]

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        self.pack("keygen", "--out", self.path("key.pem"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def pack(self, *arguments, code=0):
        done = subprocess.run([os.path.join(self.binaries, "mcuota-pack"), *arguments], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def package(self, new, base=None, hardware="pump-3", formats=()):
        """A signed package of the image file `new`; with `base` it holds a delta, too, of one of `formats`."""
        arguments = ["create", "--image", new, "--version", "2.0.0", "--hardware", hardware, "--key",
                     self.path("key.pem"), "--out", self.path("new.mcup"), "--security-counter", "3"]
        if base:
            arguments += ["--base", f"{base}@1.0.0"]
        for name in formats:
            arguments += ["--format", name]
        self.pack(*arguments)
        return self.path("new.mcup")

    # Runs at the same time in one proof; CTest already runs tests on all processors.
    jobs = os.environ.get("MCUOTA_PROVE_JOBS", "1")

    def prove(self, package, base, *arguments, code=0):
        """The result document of a proof."""
        result = json.loads(self.pack("prove", package, "--base", base, "--json", "--jobs", self.jobs, *arguments,
                                      code=code))
        print(f"\n  {self.id().split('.')[-1]}: {result['cuts']} cuts, {result['bricked']} bricks, first to run: "
              f"old {result['ended_old']}, new {result['ended_new']}, seed {result['seed']}; at the cut: "
              f"{ {s['scenario']: s['states'] for s in result['scenarios']} }", flush=True)
        return result

    def assert_proven(self, result, cuts):
        self.assertEqual(result["bricked"], 0, result["scenarios"])
        self.assertEqual(result["failed"], [])
        self.assertGreaterEqual(result["cuts"], cuts)
        # After every cut an application was started.
        self.assertEqual(result["ended_old"] + result["ended_new"], result["cuts"])
