"""Certificates for tests: authorities, chains, servers, clients, revocation.

    root = pki.Authority("Root")
    server = root.issue("gw.example.net", names=["gw.example.net"], addresses=["192.0.2.1"], server=True)
    root.revoke(server); root.crl()

Everything is PEM as bytes. Keys are ECDSA P-256 unless said ("rsa2048", "rsa4096": slow to make, large on the wire).
"""

import base64
import datetime
import ipaddress
import os
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
ORGANISATION = "Isthmus tests"


def make_key(kind="ecdsa"):
    if kind == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("rsa")))


def subject(name):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
                      x509.NameAttribute(NameOID.COMMON_NAME, name)])


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


@dataclass
class Identity:
    """A certificate with its private key."""

    certificate: x509.Certificate
    private: object

    @property
    def pem(self):
        return pem(self.certificate)

    @property
    def key(self):
        return self.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption())

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def base64(self):
        """DER in base64, as the cloud's publicCertData has it."""
        return base64.b64encode(self.der).decode()

    @property
    def thumbprint(self):
        """SHA-1 of the DER in hexadecimal, as the cloud names a certificate."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()

    @property
    def name(self):
        """The subject, as strongSwan writes it."""
        common = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        return f"O={ORGANISATION}, CN={common}"

    def save(self, folder, stem):
        """Files of mode 0600: (certificate, key)."""
        return write(folder, stem + ".crt", self.pem), write(folder, stem + ".key", self.key)


def write(folder, name, data):
    """A file that only its owner reads; returns its path."""
    path = f"{folder}/{name}"
    with open(path, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(data)
    return path


class Authority(Identity):
    def __init__(self, name, key="ecdsa", parent=None):
        private = make_key(key)
        super().__init__(None, private)
        self.revoked = []
        self.serial = 0
        signer = parent or self
        builder = self._builder(name, private.public_key(), signer.certificate.subject if parent else subject(name), 365)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False), critical=True)
        builder = self._identifiers(builder, private.public_key(), signer.private.public_key())
        self.certificate = builder.sign(signer.private, hashes.SHA256())

    @staticmethod
    def _builder(name, public, issuer, days):
        """Valid since yesterday for so many days; negative: over for so many."""
        now = datetime.datetime.now(datetime.timezone.utc)
        begin = now - DAY if days > 0 else now + days * DAY - 30 * DAY
        return x509.CertificateBuilder().subject_name(subject(name)).issuer_name(issuer).public_key(public).serial_number(
            x509.random_serial_number()).not_valid_before(begin).not_valid_after(now + days * DAY)

    @staticmethod
    def _identifiers(builder, public, signer):
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)

    def authority(self, name, key="ecdsa"):
        """An intermediate below this one."""
        return Authority(name, key, parent=self)

    def issue(self, name, names=(), addresses=(), server=False, client=None, key="ecdsa", days=30):
        """client: whether for clients, too; by default all that are not for servers. names: DNS names, e-mail addresses where they have an @. days: valid for; negative: over already."""
        private = make_key(key)
        builder = self._builder(name, private.public_key(), self.certificate.subject, days)
        alternatives = [x509.RFC822Name(n) if "@" in n else x509.DNSName(n) for n in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH] if server else []
        if client or (client is None and not server):
            usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = self._identifiers(builder, private.public_key(), self.private.public_key())
        return Identity(builder.sign(self.private, hashes.SHA256()), private)

    def revoke(self, identity):
        self.revoked.append(identity.certificate.serial_number)

    def crl(self):
        """PEM of what is revoked so far."""
        now = datetime.datetime.now(datetime.timezone.utc)
        self.serial += 1
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject).last_update(
            now - DAY).next_update(now + DAY).add_extension(x509.CRLNumber(self.serial), critical=False).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.private.public_key()), critical=False)
        for serial in self.revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - DAY).build())
        return builder.sign(self.private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
