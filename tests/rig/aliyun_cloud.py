"""The cloud's side of the Aliyun protocol, as an MQTT client on the rig's broker.

It logs sub-devices in (checking their signatures), keeps topology, answers polls, pushes upgrades, follows progress,
and remembers every message. Like the platform it takes an update for done only when the target version is reported.
"""

import hashlib
import hmac
import itertools
import json
import threading
from dataclasses import dataclass, field

from .mqtt_client import MqttClient
from .process import Failed

CLOUD_USER = "cloud"


@dataclass
class Message:
    topic: str
    payload: bytes

    @property
    def json(self):
        return json.loads(self.payload)


@dataclass
class SubDevice:
    product_key: str
    device_name: str
    secret: str
    known: bool = True     # False: the platform has no topology relation until topo/add
    online: bool = False

    @property
    def key(self):
        return self.product_key, self.device_name


@dataclass
class Knobs:
    """Ways to misbehave; change them at any time."""
    ignore_logins: int = 0                         # so many login requests get no reply
    login_code: int = 200                          # another number: every login is refused with it
    ignore_polls: bool = False
    push_on_inform: bool = False                   # push again when a version other than the target is reported
    login_payloads: list = field(default_factory=list)


def gateway_credentials(product_key, device_name, secret, timestamp="2524608000000", method="hmacsha256"):
    """(client id, username, password) the broker must know for the gateway."""
    client = f"{product_key}.{device_name}"
    text = f"clientId{client}deviceName{device_name}productKey{product_key}" + (f"timestamp{timestamp}" if timestamp else "")
    stamp = f"timestamp={timestamp}," if timestamp else ""
    return (f"{client}|{stamp}securemode=2,signmethod={method}|", f"{device_name}&{product_key}",
            sign(secret, text, method).upper())


def sign(secret, text, method="hmacsha256"):
    return hmac.new(secret.encode(), text.encode(), method.lower().replace("hmac", "")).hexdigest()


class AliyunCloud:
    """Connect it as user `cloud` (allowed everything on the broker) before or after the gateway.

    `gateway`: (product_key, device_name). `subs`: SubDevice list."""

    def __init__(self, broker, password, gateway, subs=()):
        self.gateway = gateway
        self.subs = {sub.key: sub for sub in subs}
        self.knobs = Knobs()
        self.messages = []       # everything the gateway has sent, in order
        self.versions = {}       # (product_key, device_name, module) → last reported version
        self.progress = {}       # (product_key, device_name, module) → list of (step, desc)
        self.offers = {}         # (product_key, device_name, module) → data of the pending push
        self.polls = 0
        self._ids = itertools.count(1000)
        self._news = threading.Condition(threading.RLock())
        self._broker, self._password = broker, password
        self.connect()

    def connect(self):
        """Also to come back after the broker was restarted."""
        self._mqtt = MqttClient(self._broker.host, self._broker.port, self._broker.ca, CLOUD_USER, self._password,
                                "rig-cloud", self._received)
        self._mqtt.subscribe("/ota/#", "/sys/#", "/ext/#")
        return self

    def close(self):
        self._mqtt.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- what a test does -------------------------------------------------------------------------------------------

    def offer(self, device, url, version, data, module=None, digest="SHA256", push=True, **fields):
        """Makes `data` (the file's bytes) at `url` the target version of `device` = (product_key, device_name), and
        pushes it. `fields` override or add keys of the push's data. Returns the request id of the push."""
        body = {"size": len(data), "version": version, "url": url, "isDiff": 0}
        if digest == "legacy":
            body.pop("isDiff")
            body["md5"] = hashlib.md5(data).hexdigest()
        elif digest:
            body["signMethod"] = digest
            body["sign"] = hashlib.new(digest.lower(), data).hexdigest()
        if module:
            body["module"] = module
        body.update(fields)
        with self._news:
            self.offers[(*device, module or "")] = body
        return self.push(device, module) if push else None

    def push(self, device, module=None):
        """Sends the pending offer (again)."""
        number = next(self._ids)
        body = {"id": str(number), "code": 200, "message": "success", "data": self.offers[(*device, module or "")]}
        self.send("/ota/device/upgrade/%s/%s" % device, body)
        return str(number)

    def send(self, topic, body):
        """Any message: bytes go out as they are, everything else as JSON."""
        self._mqtt.publish(topic, body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")))

    def lose_session(self, device):
        """The platform forgets a sub-device's session and says so, as it does on any later message of it."""
        sub = self.subs[device]
        sub.online = False
        self.send("/ext/error/%s/%s" % self.gateway,
                  {"id": "28", "code": 520, "message": "no session",
                   "data": {"productKey": device[0], "deviceName": device[1]}})

    def wait(self, condition, timeout=15.0, what="what was waited for"):
        """Value of condition() once true; looked at after every message."""
        with self._news:
            if not self._news.wait_for(condition, timeout):
                raise Failed(f"{what} did not arrive within {timeout:g} s; last messages:\n" + self.tail())
            return condition()

    def wait_online(self, device, timeout=15.0):
        self.wait(lambda: self.subs[device].online, timeout, f"the login of {device[1]}")

    def wait_version(self, device, version, module=None, timeout=60.0):
        self.wait(lambda: self.versions.get((*device, module or "")) == version, timeout, f"version {version} of {device[1]}")

    def wait_step(self, device, predicate, module=None, timeout=60.0):
        """First (step, desc) of the device's progress messages for which predicate(int(step)) holds."""
        def found():
            return next(((s, d) for s, d in self.progress.get((*device, module or ""), []) if predicate(int(s))), None)
        return self.wait(found, timeout, f"a progress message of {device[1]}")

    def on(self, topic_part):
        """All messages so far whose topic contains `topic_part`."""
        with self._news:
            return [m for m in self.messages if topic_part in m.topic]

    def tail(self, count=15):
        return "\n".join(f"  {m.topic} {m.payload.decode(errors='replace')}" for m in self.messages[-count:])

    # --- what the platform does ---------------------------------------------------------------------------------------

    def _received(self, topic, payload):
        parts = topic.split("/")
        # Subscribed to everything, the cloud also hears itself; replies and pushes are its own.
        if topic.endswith("_reply") or "/upgrade/" in topic or topic.startswith("/ext/error/"):
            return
        with self._news:
            self.messages.append(Message(topic, payload))
            try:
                self._act(parts, topic, json.loads(payload))
            except (ValueError, KeyError, TypeError, IndexError) as problem:
                self.messages.append(Message("!malformed", f"{topic}: {problem!r}".encode()))
            self._news.notify_all()

    def _act(self, parts, topic, body):
        if parts[1:3] == ["ota", "device"] and parts[3] in ("inform", "progress"):
            key = (parts[4], parts[5], body["params"].get("module", ""))
            if parts[3] == "inform":
                self._informed(key, body["params"]["version"])
            else:
                self.progress.setdefault(key, []).append((body["params"]["step"], body["params"].get("desc", "")))
        elif topic.endswith("/thing/ota/firmware/get"):
            self.polls += 1
            if not self.knobs.ignore_polls:
                module = body.get("params", {}).get("module", "")
                data = self.offers.get((parts[2], parts[3], module), {})
                self._reply(topic, body, data)
        elif topic.endswith("/combine/login"):
            self._login(topic, body, [body["params"]], body["params"].get("signMethod", "hmacSha256"))
        elif topic.endswith("/combine/batch_login"):
            self._login(topic, body, body["params"]["deviceList"], body["params"].get("signMethod", "hmacSha256"))
        elif topic.endswith("/combine/logout"):
            sub = self.subs.get((body["params"]["productKey"], body["params"]["deviceName"]))
            if sub:
                sub.online = False
            self._reply(topic, body, body["params"])
        elif topic.endswith("/thing/topo/add"):
            for entry in body["params"]:
                sub = self.subs.get((entry["productKey"], entry["deviceName"]))
                if sub is None or not self._signature_fits(sub, entry, entry["signmethod"]):
                    return self._reply(topic, body, [], 460, "request parameter error")
                sub.known = True
            self._reply(topic, body, [{k: e[k] for k in ("productKey", "deviceName")} for e in body["params"]])
        elif topic.endswith("/thing/topo/get"):
            self._reply(topic, body, [{"productKey": p, "deviceName": d} for (p, d), s in self.subs.items() if s.known])

    def _informed(self, key, version):
        self.versions[key] = version
        offer = self.offers.get(key)
        if offer and offer["version"] == version:
            del self.offers[key]
        elif offer and self.knobs.push_on_inform:
            self.push(key[:2], key[2] or None)

    def _login(self, topic, body, entries, method):
        self.knobs.login_payloads.append(body)
        if self.knobs.ignore_logins > 0:
            self.knobs.ignore_logins -= 1
            return
        code, message = self.knobs.login_code, "refused by the test"
        subs = [self.subs.get((e["productKey"], e["deviceName"])) for e in entries]
        if code == 200:
            if any(s is None for s in subs):
                code, message = 6100, "device not found"
            elif not all(self._signature_fits(s, e, method) for s, e in zip(subs, entries)):
                code, message = 460, "sign check failed"
            elif not all(s.known for s in subs):
                code, message = 6401, "topo relation not exist"
        names = [{k: e[k] for k in ("productKey", "deviceName")} for e in entries]
        if code == 200:
            message = "success"
            for sub in subs:
                sub.online = True
        self._reply(topic, body, names if "batch" in topic else names[0], code, message)

    @staticmethod
    def _signature_fits(sub, entry, method):
        text = (f"clientId{entry['clientId']}deviceName{entry['deviceName']}productKey{entry['productKey']}"
                f"timestamp{entry['timestamp']}")
        return hmac.compare_digest(sign(sub.secret, text, method).upper(), entry["sign"].upper())

    def _reply(self, topic, body, data, code=200, message="success"):
        self.send(topic + "_reply", {"id": body["id"], "code": code, "message": message, "data": data})
