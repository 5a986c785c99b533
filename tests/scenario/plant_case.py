"""What the daemon's scenarios share: a plant with provisioned boards and a few words about jobs."""

import tempfile
import unittest
from pathlib import Path

from rig.plant import Plant, firmware
from rig.process import wait_until
from rig.watch import FINISHED


class PlantCase(unittest.TestCase):
    """One plant a class. `boards`: {name: baud}; every board runs demo v1 (1.0.0) when the first test begins."""

    boards = {"pump-1": 921600}
    daemon_config = {"policy": {"backoff_min_s": 1, "backoff_max_s": 2, "new_url_wait_s": 2}}
    slow_rate = "16k"
    provision_options = {}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="mcuota-plant-")
        cls.addClassCleanup(folder.cleanup)
        cls.plant = Plant(Path(folder.name), cls.boards, slow_rate=cls.slow_rate, daemon_config=cls.daemon_config)
        cls.addClassCleanup(cls.plant.__exit__)
        cls.plant.__enter__()
        v1 = cls.plant.package("v1.mcup", firmware("demo-v1.bin"), "1.0.0", **cls.provision_options)
        for name in cls.boards:
            cls.plant.flash(name, "push", v1)
        cls.plant.start_daemon()
        for name in cls.boards:
            cls.plant.cloud.wait_version(cls.plant.device(name), "1.0.0")

    def offer(self, name, file, version, place="oss", **fields):
        """The file becomes the cloud's target for a board, at a signed address."""
        data = Path(file).read_bytes()
        self.plant.web.put(Path(file).name, data)
        return self.plant.cloud.offer(self.plant.device(name), self.plant.web.sign(Path(file).name, place=place), version, data,
                                      **fields)

    def newest(self, device):
        jobs = [job for job in self.plant.jobs().values() if job["device"] == device]
        return jobs[-1] if jobs else None

    def wait_job(self, device, after=0, states=FINISHED, timeout=90):
        """The device's newest job with an id above `after`, once it is in one of the states."""
        def found():
            job = self.newest(device)
            return job if job and job["id"] > after and job["state"] in states else None
        try:
            return wait_until(found, timeout=timeout, what=f"a job of {device} in {states}", interval=0.1)
        except AssertionError as late:
            raise AssertionError(f"{late}; newest job: {self.newest(device)}\n{self.plant.daemon.process.tail(40)}") from None

    def last_id(self, device):
        job = self.newest(device)
        return job["id"] if job else 0

    def running(self, device):
        return self.plant.daemon.cli_json("device", "show", device)["running"]

    def assert_untouched(self, device, image="demo-v1.bin", version="1.0.0"):
        self.assertTrue(self.plant.holds(device, firmware(image)), f"{device} no longer holds {image}")
        self.assertEqual(self.running(device)["version"], version)
