"""An HTTPS server that breaks the rules on purpose, one rule per address. Also a program of its own for C++ tests.

/FAULT?size=N&... serves the body pattern(N). Every answer carries ETag "fault-1" unless etag=... says otherwise; a Range
request is honoured where the fault does not say otherwise.

    ok                      correct, with ranges
    truncate&at=K           Content-Length N, connection closed after K bytes
    reset&at=K              the same with a TCP reset
    stall&at=K              K bytes, then silence
    longer&extra=K          announces N+K bytes when N were expected, and sends them
    overrun&extra=K         Content-Length N, but K more bytes follow
    nolength[&at=K]         no Content-Length; closed after N (or K) bytes
    chunked[&at=K]          chunked; with at=K closed early
    badrange&shift=K        206 whose Content-Range starts K bytes too late
    badtotal&total=K        206 whose Content-Range names another total
    norange206              206 without Content-Range
    ignorerange             200 with the whole body although a range was asked
    emptyrange              200 whose Content-Length equals the asked offset
    status&code=C           answers with this status and a short body
    redirect&hops=K[&to=U]  K redirects, then ok (or to address U)
    garbage                 bytes that are not HTTP
    weaketag                ok with a weak ETag;  noetag: ok without one
"""

import argparse
import json
import socket
import ssl
import struct
import threading
import urllib.parse


def pattern(size, start=0):
    """Bytes start..size of the test body: position-dependent, so that a misplaced piece is noticed."""
    return bytes((i * 7 + (i >> 8) * 13 + (i >> 16)) & 0xFF for i in range(start, size))


class FaultServer:
    def __init__(self, cert, key, port=0):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(str(cert), str(key))
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.requests = []    # (path with query, {header: value})
        self._stopping = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, fault, **query):
        return f"https://127.0.0.1:{self.port}/{fault}?{urllib.parse.urlencode(query)}"

    def close(self):
        self._stopping.set()
        self._listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            client.settimeout(60)
            connection = self._context.wrap_socket(client, server_side=True)
        except (OSError, ssl.SSLError):
            client.close()
            return
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(4096)
                if not part:
                    return
                head += part
            lines = head.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
            target = lines[0].split(" ")[1]
            headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
            self.requests.append((target, headers))
            parsed = urllib.parse.urlparse(target)
            query = {k: v[0] for k, v in urllib.parse.parse_qs(parsed.query).items()}
            Answer(self, connection, parsed.path.strip("/"), query, headers).send()
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            try:
                connection.close()
            except OSError:
                pass


class Answer:
    """One request's answer."""

    def __init__(self, server, connection, fault, query, headers):
        self.server, self.connection, self.fault, self.query = server, connection, fault, query
        self.size = int(query.get("size", "1000"))
        self.etag = query.get("etag", '"fault-1"')
        if fault == "weaketag":
            self.etag = "W/" + self.etag
        self.start = 0
        asked = headers.get("range", "")
        if asked.startswith("bytes=") and headers.get("if-range", self.etag) == self.etag:
            self.start = int(asked[6:].rstrip("-").split("-")[0])

    def number(self, name, default=0):
        return int(self.query.get(name, default))

    def head(self, status, *lines):
        etag = [] if self.fault == "noetag" else [f"ETag: {self.etag}"]
        self.raw("\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *etag, *lines]).encode("latin-1") + b"\r\n\r\n")

    def raw(self, data):
        self.connection.sendall(data)

    def partial(self, first=None, total=None, length=None):
        first = self.start if first is None else first
        total = self.size if total is None else total
        length = self.size - self.start if length is None else length
        self.head("206 Partial Content", f"Content-Range: bytes {first}-{first + length - 1}/{total}", f"Content-Length: {length}")

    def usual_head(self):
        if self.start >= self.size and self.start > 0:
            self.head("416 Range Not Satisfiable", f"Content-Range: bytes */{self.size}", "Content-Length: 0")
            return False
        self.partial() if self.start else self.head("200 OK", f"Content-Length: {self.size}")
        return True

    def send(self):
        method = getattr(self, "send_" + self.fault, None)
        if method is None:
            self.head("404 Not Found", "Content-Length: 0")
        else:
            method()

    def send_ok(self):
        if self.usual_head():
            self.raw(pattern(self.size, self.start))

    send_weaketag = send_noetag = send_ok

    def _first_bytes(self):
        self.usual_head()
        self.raw(pattern(self.number("at"), self.start))

    def send_truncate(self):
        self._first_bytes()

    def send_reset(self):
        self._first_bytes()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def send_stall(self):
        self._first_bytes()
        self.connection.recv(1)    # until the client goes away

    def send_longer(self):
        self.size += self.number("extra")
        self.send_ok()

    def send_overrun(self):
        self.head("200 OK", f"Content-Length: {self.size}")
        self.raw(pattern(self.size + self.number("extra")))

    def send_nolength(self):
        self.head("200 OK")
        self.raw(pattern(self.number("at", self.size)))

    def send_chunked(self):
        self.head("200 OK", "Transfer-Encoding: chunked")
        end = self.number("at", self.size)
        data = pattern(end)
        for at in range(0, end, 512):
            piece = data[at:at + 512]
            self.raw(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if "at" not in self.query:
            self.raw(b"0\r\n\r\n")

    def send_badrange(self):
        if not self.start:
            return self.send_ok()
        self.partial(first=self.start + self.number("shift", 1))
        self.raw(pattern(self.size, self.start))

    def send_badtotal(self):
        if not self.start:
            return self.send_ok()
        self.partial(total=self.number("total"))
        self.raw(pattern(self.size, self.start))

    def send_norange206(self):
        if not self.start:
            return self.send_ok()
        self.head("206 Partial Content", f"Content-Length: {self.size - self.start}")
        self.raw(pattern(self.size, self.start))

    def send_ignorerange(self):
        self.start = 0
        self.send_ok()

    def send_emptyrange(self):
        if not self.start:
            return self.send_ok()
        self.head("200 OK", f"Content-Length: {self.start}")
        self.raw(pattern(self.start))

    def send_status(self):
        text = b"no such luck\n"
        self.head(f"{self.number('code', 500)} Status", f"Content-Length: {len(text)}")
        self.raw(text)

    def send_redirect(self):
        hops = self.number("hops", 1)
        if hops == 0 and "to" not in self.query:
            return self.send_ok()
        target = self.query.get("to") if hops <= 1 and "to" in self.query else None
        if target is None:
            target = self.server.url("redirect", hops=hops - 1, size=self.size)
        self.head("302 Found", f"Location: {target}", "Content-Length: 0")

    def send_garbage(self):
        self.raw(b"\x00\xff\x16 this is not HTTP\n" * 20)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cert", required=True)
    options.add_argument("--key", required=True)
    given = options.parse_args()
    server = FaultServer(given.cert, given.key)
    print(json.dumps({"port": server.port}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
