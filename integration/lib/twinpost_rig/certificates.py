"""Certificates of every kind, made by the command line `openssl`."""

import pathlib
import ssl
import subprocess

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def make(folder, name, *names, key=EC, sign=("-sha256",), authority=None):
    """A certificate for DNS `names` and its key, as `folder/name.pem` and `.key`.

    `sign` says how: by itself, or by an `authority` (a pair of paths)."""
    folder = pathlib.Path(folder)
    certificate, secret = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", *key, "-nodes", "-days", "30", "-subj", f"/CN={name}",
               "-keyout", secret, "-out", certificate, *sign]
    if names:
        command += ["-addext", "subjectAltName=" + ",".join(f"DNS:{one}" for one in names)]
    if authority:
        command += ["-CA", authority[0], "-CAkey", authority[1]]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, secret


def der(path):
    """The first certificate of a file."""
    text = pathlib.Path(path).read_text()
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(text[:text.index(end)] + end + "\n")


def blind():
    """A client's context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
