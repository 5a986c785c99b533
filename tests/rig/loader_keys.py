"""A loader with other keys in its table (mcu_loader/SPEC.md §4): the same binary, patched."""

import hashlib
import struct
import subprocess
from pathlib import Path

MAGIC = b"MCLK"
ENTRY_BYTES = 268
POINT_AT, POINT_BYTES = 26, 65
MODULUS_AT, MODULUS_BYTES = 33, 256


def entry(public_pem):
    """The table's entry of a public key file: algorithm, key id, key, zeros."""
    der = subprocess.run(["openssl", "pkey", "-pubin", "-in", str(public_pem), "-outform", "DER"],
                         check=True, capture_output=True).stdout
    rsa = len(der) > POINT_AT + POINT_BYTES
    key = der[MODULUS_AT:MODULUS_AT + MODULUS_BYTES] if rsa else der[POINT_AT:POINT_AT + POINT_BYTES]
    body = struct.pack("<I", 2 if rsa else 1) + hashlib.sha256(der).digest()[:8] + key
    return body.ljust(ENTRY_BYTES, b"\0")


def find_table(content):
    """Where the entries begin. The magic alone also stands in the code that looks for it."""
    begins = []
    at = content.find(MAGIC)
    while at >= 0:
        begin = at + len(MAGIC)
        kinds = [content[begin + i * ENTRY_BYTES:][:4] for i in (0, 1)]
        if all(struct.unpack("<I", kind)[0] in (1, 2) for kind in kinds if len(kind) == 4):
            begins.append(begin)
        at = content.find(MAGIC, begin)
    if len(begins) != 1:
        raise ValueError(f"{len(begins)} key tables in the loader")
    return begins[0]


def patch(loader, out, current, following):
    """Writes `loader` (ELF or binary) with these two public keys to `out`."""
    content = Path(loader).read_bytes()
    begin = find_table(content)
    table = entry(current) + entry(following)
    Path(out).write_bytes(content[:begin] + table + content[begin + len(table):])
    return Path(out)
