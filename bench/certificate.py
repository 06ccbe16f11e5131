# SPDX-License-Identifier: PostgreSQL
"""One self-signed certificate for everybody who ends TLS: clients ask for encryption, not for proof."""

import os
import shutil
import subprocess

import stage  # noqa: F401  (the path to demo)
from demo import processes


class Certificate:
    def __init__(self, directory):
        self.path, self.key = f"{directory}/tls.crt", f"{directory}/tls.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "30", "-subj", "/CN=bench", "-keyout", self.key, "-out", self.path],
                       check=True, capture_output=True, timeout=60)
        os.chmod(self.key, 0o600)
        if processes.service_user():
            # PostgreSQL and PgBouncer; root may read it anyway.
            shutil.chown(self.key, processes.service_user(), processes.service_user())

    def postgres(self):
        """PostgreSQL speaks TLS to those who ask; who does not is served as before."""
        return {"ssl": "on", "ssl_cert_file": self.path, "ssl_key_file": self.key}
