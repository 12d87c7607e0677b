"""PGP by the real gpg: what is decrypted, what is refused and why, and that nothing stays behind."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from edi_gateway.errors import RefusedError
from edi_gateway.model import Finding
from edi_gateway.transforms import gnupg, openpgp, pgp
from edi_gateway.transforms.opening import AS_IT_COMES, Opening, is_whole, pieces
from edi_gateway.transforms.options import Decrypt, Encrypt, Unpack
from tests.gnupg import Key, gpg_home, make_key

TEXT = b"UNB+UNOC:3+A+B+261012:0900+1'UNZ+0+1'"
MOST = 1_000_000


@pytest.fixture
def ours(hub_key: Key, partner_key: Key, tmp_path: Path) -> Decrypt:
    """Our key, and the partner's signature is asked for."""
    return Decrypt.model_validate(
        {
            "private_key": reference(tmp_path / "hub", hub_key.private),
            "passphrase": reference(tmp_path / "passphrase", "open sesame"),
            "verify": reference(tmp_path / "partner", partner_key.public),
        }
    )


def reference(path: Path, text: str) -> str:
    path.write_text(text)
    return f"${{file:{path}}}"


def changed(options: Decrypt, **texts: str) -> Decrypt:
    """The options with other secrets."""
    secrets = {name: SecretStr(text) for name, text in texts.items()}
    return options.model_copy(update=secrets)


def sent(to: Key, signer: Key | None, *options: str, content: bytes = TEXT) -> bytes:
    """As a partner makes it with gpg."""
    with gpg_home() as gpg:
        gpg("--import", content=to.public.encode())
        if signer:
            gpg("--import", content=signer.private.encode())
        return gpg(*options, "--encrypt", "--recipient", "hub", *(["--sign"] if signer else []), content=content)


def found(result: bytes | Finding) -> str:
    assert isinstance(result, Finding), result
    return result.found


@pytest.mark.parametrize("options", [(), ("--armor",), ("--compress-level", "0")])
def test_what_a_partner_signed_and_encrypted_is_read(
    options: tuple[str, ...], ours: Decrypt, hub_key: Key, partner_key: Key
) -> None:
    """As bytes or as text, compressed within or not."""
    assert pgp.decrypt(sent(hub_key, partner_key, *options), ours, MOST) == TEXT


def test_what_is_decrypted_is_unpacked(ours: Decrypt, hub_key: Key, partner_key: Key) -> None:
    """PGP around gzip."""
    (piece,) = pieces(sent(hub_key, partner_key, content=gzip.compress(TEXT)), Opening(Unpack(), ours))
    assert not isinstance(piece, Finding)
    assert piece.content == TEXT


def test_a_signature_must_be_the_senders(ours: Decrypt, hub_key: Key, strangers_key: Key, tmp_path: Path) -> None:
    """None, or that of anybody else, ourselves included, is not good enough; unless none is asked for."""
    unsigned = sent(hub_key, None)
    assert "without a signature" in found(pgp.decrypt(unsigned, ours, MOST))
    assert "another key" in found(pgp.decrypt(sent(hub_key, strangers_key), ours, MOST))
    by_ourselves = Encrypt.model_validate(
        {
            "to": reference(tmp_path / "to", hub_key.public),
            "sign": reference(tmp_path / "sign", hub_key.private),
            "passphrase": reference(tmp_path / "p", "open sesame"),
        }
    )
    assert "another key" in found(pgp.decrypt(pgp.encrypt(TEXT, by_ourselves), ours, MOST))
    assert pgp.decrypt(unsigned, ours.model_copy(update={"verify": None}), MOST) == TEXT


def test_what_was_encrypted_for_another_key_says_for_which(ours: Decrypt, strangers_key: Key, tmp_path: Path) -> None:
    """And for which it should have been."""
    for_another = pgp.encrypt(TEXT, Encrypt.model_validate({"to": reference(tmp_path / "to", strangers_key.public)}))
    result = pgp.decrypt(for_another, ours, MOST)
    assert "a file encrypted for" in found(result)
    assert isinstance(result, Finding)
    assert "our key" in result.expected


def test_a_wrong_passphrase_is_told_apart(ours: Decrypt, hub_key: Key, partner_key: Key) -> None:
    """From a file for another key: here the configuration has to be mended. The check says it beforehand."""
    wrong = changed(ours, passphrase="wrong")
    assert "passphrase does not open" in found(pgp.decrypt(sent(hub_key, partner_key), wrong, MOST))
    assert "passphrase does not open" in pgp.prove_decrypt(wrong)
    assert pgp.prove_decrypt(ours) == ""


def test_a_key_that_is_none_is_found_by_the_check(ours: Decrypt, hub_key: Key) -> None:
    """The other half of a key, too; no word of the key is repeated."""
    said = pgp.prove_decrypt(changed(ours, private_key=hub_key.public))
    assert "PGP PRIVATE KEY BLOCK" in said
    assert hub_key.public.splitlines()[3] not in said
    assert "verify holds no key" in pgp.prove_decrypt(changed(ours, verify="rubbish"))


def test_an_expired_key_of_a_customer_is_refused_by_name(tmp_path: Path) -> None:
    """By the check, and at sealing; nothing is sent in the open."""
    expired = make_key("customer", expires="seconds=1")
    options = Encrypt.model_validate({"to": reference(tmp_path / "to", expired.public)})
    with gpg_home() as gpg:  # the second passes while gpg waits for it
        gpg("--import", content=expired.public.encode())
        while b"pub:e:" not in gpg("--with-colons", "--list-keys"):
            pass
    assert "cannot be encrypted" in pgp.prove_encrypt(options)
    with pytest.raises(RefusedError, match="mend encrypt"):
        pgp.encrypt(TEXT, options)


def test_plain_files_are_refused_where_encrypted_ones_are_due(ours: Decrypt) -> None:
    """Unless the channel accepts them."""
    (finding,) = pieces(TEXT, Opening(Unpack(), ours))
    assert isinstance(finding, Finding)
    assert "not encrypted" in finding.found
    accepting = Opening(Unpack(), ours.model_copy(update={"plain": "accept"}))
    assert [TEXT] == [piece.content for piece in pieces(TEXT, accepting) if not isinstance(piece, Finding)]


def test_an_encrypted_file_on_a_channel_without_keys_says_what_is_missing(hub_key: Key) -> None:
    """Instead of a complaint about its syntax."""
    for content in (sent(hub_key, None), sent(hub_key, None, "--armor")):
        (finding,) = pieces(content, AS_IT_COMES)
        assert isinstance(finding, Finding)
        assert "give the channel decrypt" in finding.advice


@pytest.mark.parametrize("options", [(), ("--armor",)])
def test_an_encrypted_file_that_breaks_off_lacks_its_end(options: tuple[str, ...], hub_key: Key, ours: Decrypt) -> None:
    """Told without a key, so that it waits for the rest; decrypted it is refused."""
    whole = sent(hub_key, None, *options, content=TEXT * 2_000)
    assert is_whole(whole, AS_IT_COMES)
    assert [] == [end for end in range(40, len(whole) - 2, 7) if is_whole(whole[:end], AS_IT_COMES)]
    found(pgp.decrypt(whole[: len(whole) // 2], ours, MOST))


def test_a_bomb_within_an_encrypted_file_is_stopped(hub_key: Key, ours: Decrypt) -> None:
    """Gpg packs what it encrypts; more than the limit is never taken from it."""
    bomb = sent(hub_key, None, content=bytes(20_000_000))
    assert len(bomb) < 100_000
    assert "more than 1,000,000 bytes" in found(pgp.decrypt(bomb, ours, MOST))


def test_nothing_stays_behind(ours: Decrypt, hub_key: Key, partner_key: Key) -> None:
    """Neither keys nor an agent, once a file is decrypted."""
    pgp.decrypt(sent(hub_key, partner_key), ours, MOST)
    with gnupg.home() as home:
        folder = home.folder
        home.take(hub_key.private)
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    processes = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in processes


def test_without_gpg_the_configuration_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With what is to be installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="apt install gpg"):
        Encrypt.model_validate({"to": reference(tmp_path / "to", "any")})


@given(
    st.binary(max_size=200),
    st.sampled_from([b"\x85", b"\x84\x10\x03", b"\xc1\xff", b"\xd2\xe0", b"-----BEGIN PGP MESSAGE-----\n"]),
)
def test_any_bytes_can_be_looked_at(tail: bytes, head: bytes) -> None:
    """Whether they are encrypted, and whole."""
    openpgp.is_encrypted(head + tail)
    openpgp.is_whole(head + tail)
