"""Which algorithms are offered to a server: today's, fastest first, and older ones only where a host is named."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from asyncssh.encryption import get_default_encryption_algs, get_encryption_algs
from asyncssh.kex import get_default_kex_algs, get_kex_algs
from asyncssh.mac import get_default_mac_algs, get_mac_algs
from asyncssh.public_key import (
    SSHKey,
    get_default_certificate_algs,
    get_default_public_key_algs,
    get_public_key_algs,
)

from edi_gateway.located import did_you_mean

_FASTEST: Final = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
# SHA-1 signatures and key exchanges, which RFC 9142 and RFC 8332 replace.
_OUTDATED: Final = frozenset(
    {"ssh-rsa", "ssh-rsa-cert-v01@openssh.com", "diffie-hellman-group14-sha1", "gss-group14-sha1"}
)


def _names(*lists: Iterable[bytes]) -> list[str]:
    return [name.decode("ascii") for names in lists for name in names]


_KINDS: Final = {
    "kex_algs": (_names(get_default_kex_algs()), _names(get_kex_algs())),
    "encryption_algs": ([*_FASTEST, *_names(get_default_encryption_algs())], _names(get_encryption_algs())),
    "mac_algs": (_names(get_default_mac_algs()), _names(get_mac_algs())),
    "signature_algs": (_names(get_default_public_key_algs()), _names(get_public_key_algs())),
}
LEGACY: Final = tuple(
    dict.fromkeys(name for usual, known in _KINDS.values() for name in known if name in _OUTDATED or name not in usual)
)
"""Names that ``legacy_algorithms`` may hold."""


def require_legacy(name: str) -> str:
    """The name when it is one of LEGACY; raises ValueError otherwise."""
    if name not in LEGACY:
        raise ValueError(f"found {name!r}, expected an algorithm such as ssh-rsa{did_you_mean(name, LEGACY)}")
    return name


def offered(legacy: Collection[str]) -> dict[str, list[str]]:
    """Asyncssh's options for key exchange, encryption, MAC and signatures; ``legacy`` ones come last."""
    return {option: _choose(usual, known, legacy) for option, (usual, known) in _KINDS.items()}


def host_key_algorithms(keys: Iterable[SSHKey], *, certified: bool, legacy: Collection[str]) -> list[str]:
    """Host key algorithms in the order of preference: those of the trusted keys, then all others.

    The others are named so that a server whose key was exchanged for one of another type still shows it to us.
    """
    usual, known = _KINDS["signature_algs"]
    certificates = _names(get_default_certificate_algs()) if certified else []
    trusted = _names(*(key.sig_algorithms for key in keys))
    everything = _choose(usual, known, legacy)
    first = [name for name in (*certificates, *trusted) if name not in _OUTDATED or name in legacy]
    return list(dict.fromkeys([*(name for name in first if name in {*certificates, *everything}), *everything]))


def _choose(usual: Iterable[str], known: Iterable[str], legacy: Collection[str]) -> list[str]:
    modern = (name for name in usual if name not in _OUTDATED)
    return list(dict.fromkeys([*modern, *(name for name in known if name in legacy)]))
