"""Packages made byte by byte from docs/package-format.md, without our own tools: right ones to check the document, wrong
ones no tool of ours would make. Signatures come from the openssl command."""

import hashlib
import struct
import subprocess
import tempfile
from pathlib import Path

MAGIC = b"MCUP\r\n\x1a\n"
RAW, LZMA, LZMA_THUMB, HDIFFSF20, HDIFF13, RELOCATED = 1, 2, 3, 4, 5, 6


def key_id(private_key):
    der = subprocess.run(["openssl", "pkey", "-in", private_key, "-pubout", "-outform", "DER"], check=True,
                         capture_output=True).stdout
    return hashlib.sha256(der).digest()[:8]


def sign_p256(private_key, message):
    """r || s, 32 bytes each."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(message)
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", private_key, file.name], check=True,
                             capture_output=True).stdout
    numbers, at = [], 2
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(32, "big"))
        at += 2 + length
    return b"".join(numbers)


def payload_entry(kind, payload, memory=0, base_size=0, base_sha256=bytes(32), sha256=None):
    return struct.pack("<B3xI32sI32sI", kind, len(payload), sha256 or hashlib.sha256(payload).digest(), base_size, base_sha256,
                       memory)


def manifest(image, version, hardware, key, payload_entries, counter=0, load_address=0x08020000, flags=0):
    fields = [(1, hardware.encode()), (2, version.encode()), (3, struct.pack("<I", counter)),
              (4, struct.pack("<I", len(image))), (5, hashlib.sha256(image).digest()), (6, struct.pack("<I", load_address)),
              (7, b"\x01" + key_id(key)), (8, struct.pack("<I", flags))] + [(0x10, entry) for entry in payload_entries]
    body = b"".join(struct.pack("<HH", tag, len(value)) + value for tag, value in fields)
    return b"MCM1" + struct.pack("<HH", 8 + len(body), len(fields)) + body


def package(manifest_bytes, signature, payloads):
    entry = struct.pack("<HH", len(manifest_bytes), len(signature)) + manifest_bytes + signature + b"".join(payloads)
    return MAGIC + struct.pack("<HHI", 1, 1, 16 + len(entry)) + entry


def signed_package(image, version, hardware, key, kind=RAW, payload=None, memory=0, **fields):
    payload = image if payload is None else payload
    signed = manifest(image, version, hardware, key, [payload_entry(kind, payload, memory)], **fields)
    return package(signed, sign_p256(key, signed), [payload])


def delta_package(image, version, hardware, key, deltas, full=True, memory=48 * 1024, **fields):
    """`deltas`: (kind, delta bytes, base image), listed in this order before the raw image. Nothing looks whether the deltas
    are any good, or made from these bases."""
    payloads = [delta for _, delta, _ in deltas] + ([image] if full else [])
    entries = [payload_entry(kind, delta, memory, len(base), hashlib.sha256(base).digest()) for kind, delta, base in deltas]
    entries += [payload_entry(RAW, image, 512)] if full else []
    signed = manifest(image, version, hardware, key, entries, **fields)
    return package(signed, sign_p256(key, signed), payloads)
