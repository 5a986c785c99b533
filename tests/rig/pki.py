"""A certificate authority and server certificates, made with the openssl command."""

import subprocess
from pathlib import Path


class Pki:
    """A CA in `folder`. `ca` is its certificate (PEM), what clients trust."""

    def __init__(self, folder, name="mcuota test CA"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = self.folder / "ca.crt"
        self._ca_key = self.folder / "ca.key"
        if not self.ca.exists():
            self._key(self._ca_key)
            _openssl("req", "-x509", "-new", "-key", self._ca_key, "-out", self.ca, "-days", "30", "-subj", f"/CN={name}",
                     "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def server(self, name="server", hosts=("127.0.0.1", "localhost"), days=30):
        """(certificate, key) of a server that answers under `hosts` (names or IPv4 addresses)."""
        key, cert = self.folder / f"{name}.key", self.folder / f"{name}.crt"
        if cert.exists():
            return cert, key
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        alternatives = ",".join(("IP:" if h.replace(".", "").isdigit() else "DNS:") + h for h in hosts)
        extensions.write_text(f"subjectAltName={alternatives}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:false\n")
        self._key(key)
        _openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={hosts[0]}")
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial", "-out", cert,
                 "-days", str(days), "-extfile", extensions)
        return cert, key

    @staticmethod
    def _key(path):
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        path.chmod(0o600)


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
