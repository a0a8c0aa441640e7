"""Certificates for a test, from an authority of its own, made by openssl."""
import os
import subprocess

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """Authority(folder).issue("name", days=2) -> paths of certificate and key; .ca is what clients trust."""

    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.ca = os.path.join(self.folder, "ca.pem")
        self.openssl("req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=test authority")

    def openssl(self, *args, **env):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=self.folder, env=dict(os.environ, **env))

    def issue(self, name, days=2, file=None, since_days=0):
        """`since_days`: as if it had been issued so many days ago; more than `days` makes an expired one."""
        base = file or name
        with open(os.path.join(self.folder, base + ".ext"), "w") as f:
            f.write("subjectAltName=DNS:%s\n" % name)
        self.openssl("req", *KEY, "-keyout", base + ".key", "-out", base + ".csr", "-subj", "/CN=" + name)
        env = {"LD_PRELOAD": FAKETIME, "FAKETIME": "-%dd" % since_days} if since_days else {}
        self.openssl("x509", "-req", "-in", base + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days),
                     "-out", base + ".pem", "-extfile", base + ".ext", **env)
        return os.path.join(self.folder, base + ".pem"), os.path.join(self.folder, base + ".key")
