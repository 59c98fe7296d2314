"""The client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677)."""

import base64
import hashlib
import hmac
import os


def sign(key, text):
    return hmac.digest(key, text, "sha256")


class Scram:
    """`first`, then `final` with the server's first message, then `verify` with its last."""

    def __init__(self, user, password, binding=None):
        """`binding`: (name, octets) of a channel binding, for the -PLUS variant."""
        self.password = password.encode()
        self.gs2 = f"p={binding[0]},," if binding else "n,,"
        self.bound = binding[1] if binding else b""
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        name = user.replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={name},r={self.nonce}"

    def first(self):
        return (self.gs2 + self.bare).encode()

    def final(self, server_first):
        fields = dict(part.split("=", 1) for part in server_first.decode().split(","))
        assert fields["r"].startswith(self.nonce) and len(fields["r"]) > len(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(fields["s"]),
                                     int(fields["i"]))
        bound = base64.b64encode(self.gs2.encode() + self.bound).decode()
        without_proof = f"c={bound},r={fields['r']}"
        text = ",".join((self.bare, server_first.decode(), without_proof)).encode()
        key = sign(salted, b"Client Key")
        signature = sign(hashlib.sha256(key).digest(), text)
        proof = bytes(one ^ two for one, two in zip(key, signature))
        self.expected = sign(sign(salted, b"Server Key"), text)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, server_final):
        return server_final == b"v=" + base64.b64encode(self.expected)
