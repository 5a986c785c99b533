"""The rig's own tests: what scenario tests rely on. Run: python3 -m unittest tests.rig.test_rig (from the root)."""

import json
import os
import ssl
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from .aliyun_cloud import AliyunCloud, SubDevice, gateway_credentials, sign
from .broker import Broker
from .daemon import to_toml
from .fault_server import FaultServer, pattern
from .mqtt_client import MqttClient, MqttError
from .pki import Pki
from .process import Failed, Process, wait_until
from .web import Web

GATEWAY = ("a1GwDemo001", "gw-0001")
GATEWAY_SECRET = "0123456789abcdef0123456789abcdef"
SUB = ("a1SubDemo02", "mcu-f429-01")
SUB_SECRET = "fedcba9876543210fedcba9876543210"


def fetch(url, ca, headers=None):
    request = urllib.request.Request(url, headers=headers or {})
    with urllib.request.urlopen(request, timeout=10, context=ssl.create_default_context(cafile=str(ca))) as answer:
        return answer.status, answer.read()


class ProcessTest(unittest.TestCase):
    def test_a_line_is_waited_for_and_a_child_that_ends_says_so(self):
        with Process(["sh", "-c", "echo one; echo two"]) as child:
            self.assertEqual(child.wait_line("t(w)o")[1][1], "w")
            with self.assertRaises(Failed):
                child.wait_line("three")

    def test_a_child_dies_with_its_parent(self):
        parent = Process(["python3", "-c", "from tests.rig.process import Process\nimport time\n"
                          "p = Process(['sleep', '1000'])\nprint(p.pid, flush=True)\ntime.sleep(1000)"],
                         env={"PYTHONPATH": os.getcwd()})
        pid = int(parent.wait_line(r"^\d+$")[1][0])
        parent.kill()
        stat = Path(f"/proc/{pid}/stat")
        wait_until(lambda: not stat.exists() or " Z " in stat.read_text(), what="the grandchild ending")


class ServersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = cls.temporary.name
        cls.pki = Pki(f"{cls.folder}/pki")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_signed_addresses_work_until_they_expire(self):
        with Web(f"{self.folder}/web", self.pki) as web:
            web.put("a.bin", b"0123456789")
            self.assertEqual(fetch(web.sign("a.bin"), web.ca), (200, b"0123456789"))
            self.assertEqual(fetch(web.sign("a.bin"), web.ca, {"Range": "bytes=4-"}), (206, b"456789"))
            self.assertEqual(fetch(web.url("a.bin", "noranges"), web.ca, {"Range": "bytes=4-"}), (200, b"0123456789"))
            for bad in (web.sign("a.bin", -2), web.url("a.bin", "oss"), web.sign("a.bin").replace("Expires=", "Expires=1")):
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    fetch(bad, web.ca)
                self.assertEqual(refused.exception.code, 403)

    def test_the_slow_place_is_slow(self):
        with Web(f"{self.folder}/slow", self.pki, slow_rate="20k") as web:
            web.put("b.bin", bytes(30_000))
            begin = time.monotonic()
            fetch(web.sign("b.bin", place="slow"), web.ca)
            self.assertGreater(time.monotonic() - begin, 0.3)

    def test_the_fault_server_breaks_what_it_says(self):
        with FaultServer(*self.pki.server("fault")) as server:
            self.assertEqual(fetch(server.url("ok", size=700), self.pki.ca), (200, pattern(700)))
            self.assertEqual(fetch(server.url("ok", size=700), self.pki.ca, {"Range": "bytes=600-"}), (206, pattern(700)[600:]))
            self.assertEqual(fetch(server.url("redirect", size=9, hops=2), self.pki.ca), (200, pattern(9)))
            with self.assertRaises(Exception):
                fetch(server.url("truncate", size=700, at=300), self.pki.ca)

    def test_the_broker_refuses_a_wrong_password_and_comes_back_on_its_port(self):
        with Broker(f"{self.folder}/broker", self.pki, {"u": "secret"}) as broker:
            with self.assertRaises(MqttError):
                MqttClient(broker.host, broker.port, broker.ca, "u", "wrong", "x", lambda t, p: None)
            first = MqttClient(broker.host, broker.port, broker.ca, "u", "secret", "x", lambda t, p: None)
            broker.restart()
            wait_until(lambda: first.closed, what="the broken connection being noticed")
            MqttClient(broker.host, broker.port, broker.ca, "u", "secret", "x", lambda t, p: None).close()

    def test_the_cloud_logs_in_answers_and_remembers(self):
        client_id, user, password = gateway_credentials(*GATEWAY, GATEWAY_SECRET)
        self.assertTrue(password.startswith("F212386E64D06261"))
        acl = {"cloud": ["readwrite #"], user: ["readwrite #"]}
        with Broker(f"{self.folder}/cloud", self.pki, {"cloud": "c", user: password}, acl) as broker:
            with AliyunCloud(broker, "c", GATEWAY, [SubDevice(*SUB, SUB_SECRET)]) as cloud:
                heard = []
                gateway = MqttClient(broker.host, broker.port, broker.ca, user, password, client_id,
                                     lambda topic, payload: heard.append((topic, json.loads(payload))))
                gateway.subscribe("/ext/session/#", "/ota/device/upgrade/#", "/sys/#")
                text = f"clientId{SUB[0]}.{SUB[1]}deviceName{SUB[1]}productKey{SUB[0]}timestamp1"
                login = {"productKey": SUB[0], "deviceName": SUB[1], "clientId": f"{SUB[0]}.{SUB[1]}", "timestamp": "1",
                         "signMethod": "hmacSha256", "sign": sign(SUB_SECRET, text), "cleanSession": "true"}
                topic = "/ext/session/%s/%s/combine/login" % GATEWAY
                gateway.publish(topic, json.dumps({"id": "1", "params": {**login, "sign": "00"}}))
                gateway.publish(topic, json.dumps({"id": "2", "params": login}))
                cloud.wait_online(SUB)
                cloud.offer(SUB, "https://x/", "2.0.0", b"abc")
                gateway.publish("/ota/device/inform/%s/%s" % SUB, json.dumps({"id": "3", "params": {"version": "2.0.0"}}))
                cloud.wait_version(SUB, "2.0.0")
                self.assertNotIn((*SUB, ""), cloud.offers)

                def replies(part):
                    return [body for topic, body in heard if part in topic]
                wait_until(lambda: len(replies("login_reply")) == 2, what="two replies")
                self.assertEqual([r["code"] for r in replies("login_reply")], [460, 200])
                wait_until(lambda: replies("upgrade"), what="the offer")
                self.assertEqual(replies("upgrade")[0]["data"]["size"], 3)
                gateway.close()


class TomlTest(unittest.TestCase):
    def test_tables_and_lists_of_tables(self):
        self.assertEqual(to_toml({"a": {"x": 1, "y": True}, "b": [{"s": 'q"'}, {"l": ["m"]}]}),
                         '[a]\nx = 1\ny = true\n\n[[b]]\ns = "q\\""\n\n[[b]]\nl = ["m"]\n')


if __name__ == "__main__":
    unittest.main()
