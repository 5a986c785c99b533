"""A small MQTT 3.1.1 client over TLS: QoS 0 and 1, one reader thread, callbacks on that thread."""

import socket
import ssl
import struct
import threading

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 14


class MqttError(RuntimeError):
    pass


class MqttClient:
    """Connected after construction. `on_message(topic, payload bytes)` runs on the reader thread and may publish."""

    def __init__(self, host, port, ca, username, password, client_id, on_message, timeout=10.0):
        context = ssl.create_default_context(cafile=str(ca))
        raw = socket.create_connection((host, port), timeout)
        self._socket = context.wrap_socket(raw, server_hostname=host)
        self._on_message = on_message
        self._lock = threading.Lock()
        self._news = threading.Condition()
        self._acked = set()
        self._next_id = 0
        self.closed = False
        flags = 0x02 | 0x80 | 0x40
        body = _text("MQTT") + bytes([4, flags]) + struct.pack("!H", 0) + _text(client_id) + _text(username) + _text(password)
        self._send(CONNECT << 4, body)
        kind, _, answer = self._receive()
        if kind != CONNACK or answer[1] != 0:
            self._socket.close()
            raise MqttError(f"the broker refused {username}: code {answer[1] if len(answer) > 1 else '?'}")
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def subscribe(self, *filters, timeout=10.0):
        packet_id = self._packet_id()
        self._send(SUBSCRIBE << 4 | 2, struct.pack("!H", packet_id) + b"".join(_text(f) + b"\x01" for f in filters))
        self._await_ack(packet_id, timeout)

    def publish(self, topic, payload, qos=1, wait=False, timeout=10.0):
        data = payload if isinstance(payload, bytes) else payload.encode()
        if qos == 0:
            self._send(PUBLISH << 4, _text(topic) + data)
            return
        packet_id = self._packet_id()
        self._send(PUBLISH << 4 | 2, _text(topic) + struct.pack("!H", packet_id) + data)
        if wait:
            self._await_ack(packet_id, timeout)

    def close(self):
        self.closed = True
        try:
            self._send(DISCONNECT << 4, b"")
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def _packet_id(self):
        with self._lock:
            self._next_id = self._next_id % 65535 + 1
            return self._next_id

    def _await_ack(self, packet_id, timeout):
        with self._news:
            if not self._news.wait_for(lambda: packet_id in self._acked or self.closed, timeout) or self.closed:
                raise MqttError("no acknowledgement from the broker")
            self._acked.discard(packet_id)

    def _send(self, first, body):
        length, encoded = len(body), bytearray()
        while True:
            length, digit = divmod(length, 128)
            encoded.append(digit | (0x80 if length else 0))
            if not length:
                break
        with self._lock:
            self._socket.sendall(bytes([first]) + bytes(encoded) + body)

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            if not part:
                raise MqttError("the broker closed the connection")
            data += part
        return data

    def _receive(self):
        first = self._exactly(1)[0]
        length = shift = 0
        while True:
            digit = self._exactly(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
        return first >> 4, first & 15, self._exactly(length)

    def _read(self):
        try:
            while True:
                kind, flags, body = self._receive()
                if kind == PUBLISH:
                    size = struct.unpack_from("!H", body)[0]
                    topic, at = body[2:2 + size].decode(), 2 + size
                    if flags >> 1 & 3:
                        packet_id = body[at:at + 2]
                        at += 2
                        self._send(PUBACK << 4, packet_id)
                    self._on_message(topic, body[at:])
                elif kind in (PUBACK, SUBACK):
                    with self._news:
                        self._acked.add(struct.unpack_from("!H", body)[0])
                        self._news.notify_all()
        except (MqttError, OSError, ValueError):
            with self._news:
                self.closed = True
                self._news.notify_all()
        finally:
            self._socket.close()


def _text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("!H", len(data)) + data
