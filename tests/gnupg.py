"""PGP keys for tests, made by gpg itself, and gpg as partners use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Key:
    """Both halves of a key, armoured."""

    private: str
    public: str


@pytest.fixture(scope="session")
def hub_key() -> Key:
    """Ours, with the passphrase ``open sesame``."""
    return make_key("hub", "open sesame")


@pytest.fixture(scope="session")
def partner_key() -> Key:
    return make_key("partner")


@pytest.fixture(scope="session")
def strangers_key() -> Key:
    return make_key("stranger")


def make_key(name: str, passphrase: str = "", expires: str = "never") -> Key:
    """A key that signs, with one below it that decrypts."""
    with gpg_home(passphrase) as gpg:
        gpg("--quick-gen-key", name, "future-default", "default", expires)
        return Key(gpg("--armor", "--export-secret-keys").decode(), gpg("--armor", "--export").decode())


@contextmanager
def gpg_home(passphrase: str = "") -> Iterator[Gpg]:
    """Run gpg in an empty home."""
    if shutil.which("gpg") is None:
        if os.environ.get("EDI_REQUIRE_GPG") == "1":
            pytest.fail("gpg is not installed, and EDI_REQUIRE_GPG=1 asks for it: install gpg and gpg-agent")
        pytest.skip("gpg is not installed")
    with tempfile.TemporaryDirectory(prefix="edi-test-gpg-", ignore_cleanup_errors=True) as folder:
        Path(folder, "gpg-agent.conf").write_text("s2k-count 65536\n")
        yield Gpg(folder, passphrase)
        subprocess.run(["gpgconf", "--homedir", folder, "--kill", "gpg-agent"], check=False)


@dataclass(frozen=True)
class Gpg:
    """gpg in one home; called with arguments it returns what it puts out."""

    folder: str
    passphrase: str

    def __call__(self, *arguments: str, content: bytes = b"") -> bytes:
        call = ["gpg", "--homedir", self.folder, "--batch", "--quiet", "--trust-model", "always"]
        call += ["--pinentry-mode", "loopback", "--passphrase", self.passphrase, *arguments]
        return subprocess.run(call, input=content, capture_output=True, check=True).stdout
