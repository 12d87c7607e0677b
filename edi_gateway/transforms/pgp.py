"""PGP: files decrypted and their signature verified, files encrypted and signed, keys proved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import SecretStr

from edi_gateway.errors import RefusedError
from edi_gateway.model import Finding
from edi_gateway.transforms.gnupg import Home, Said, home
from edi_gateway.transforms.options import Decrypt, Encrypt
from edi_gateway.transforms.pieces import refusal

_PROBE: Final = b"edi-gateway check"
_SIGNED: Final = ("GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG")
_SPOILT: Final = {
    "EXPSIG": "a signature that has expired",
    "EXPKEYSIG": "a signature of a key that has expired",
    "REVKEYSIG": "a signature of a key that was revoked",
    "BADSIG": "a signature that does not fit the content",
}
_LOCKED: Final = "a private key that its passphrase does not open"
_MEND: Final = "mend decrypt on the channel, reload, then retry"


class _KeyError(Exception):
    """Says which key cannot be used, and why."""


def decrypt(content: bytes, options: Decrypt, most: int) -> bytes | Finding:
    """The plain bytes of an encrypted file, or what keeps us from having them; never more than ``most`` bytes."""
    try:
        with home() as keys:
            ours = _take(keys, options.private_key, "private_key")
            senders = _take(keys, options.verify, "verify") if options.verify else []
            said = keys.run(["--decrypt"], content, _text(options.passphrase), most)
    except (_KeyError, OSError) as error:
        return refusal(f"a file that could not be decrypted: {error}", "keys and a gpg that work", _MEND)
    if said.too_large:
        advice = "if it is an honest file, raise the limits (unpack of the channel), reload, then retry"
        return refusal(f"an encrypted file of more than {most:,} bytes", "one within the limits", advice)
    if not said.told("DECRYPTION_OKAY") or said.told("DECRYPTION_FAILED"):
        return _not_decrypted(said, ours)
    spoilt = _signature(said, senders) if options.verify else None
    return spoilt or said.output


def encrypt(content: bytes, options: Encrypt) -> bytes:
    """The bytes encrypted, and signed if a key is named for that; raises RefusedError."""
    try:
        with home() as keys:
            arguments = ["--encrypt", *_each("--recipient", _take(keys, options.to, "to"))]
            if options.sign:
                arguments += ["--sign", *_each("--local-user", _take(keys, options.sign, "sign")[:1])]
            if options.armor:
                arguments.append("--armor")
            said = keys.run(arguments, content, _text(options.passphrase))
    except (_KeyError, OSError) as error:
        raise RefusedError(f"the file cannot be encrypted: {error}; mend encrypt on the destination") from error
    if not said.good or not said.told("END_ENCRYPTION"):
        raise RefusedError(f"the file cannot be encrypted: {_why(said)}; mend encrypt on the destination")
    return said.output


def prove_decrypt(options: Decrypt) -> str:
    """What is wrong with the keys of a channel; "" when they can be used."""
    try:
        with home() as keys:
            ours = _take(keys, options.private_key, "private_key")
            if options.verify:
                _take(keys, options.verify, "verify")
            for key in ours:
                sealed = keys.run(["--encrypt", "--recipient", key], _PROBE)
                if not sealed.good:
                    return f"private_key {key}: nobody can encrypt for it: {_why(sealed)}"
                said = keys.run(["--decrypt"], sealed.output, _text(options.passphrase))
                if said.output != _PROBE or not said.told("DECRYPTION_OKAY"):
                    return f"private_key {key}: {_LOCKED if _is_locked(said) else _why(said)}"
    except (_KeyError, OSError) as error:
        return str(error)
    return ""


def prove_encrypt(options: Encrypt) -> str:
    """What is wrong with the keys of a destination; "" when they can be used."""
    try:
        encrypt(_PROBE, options)
    except RefusedError as error:
        return str(error)
    return ""


def _take(keys: Home, secret: SecretStr, name: str) -> Sequence[str]:
    """Fingerprints of the keys in a secret; raises _KeyError when there is none of the kind it should be."""
    text = secret.get_secret_value()
    private = name in {"private_key", "sign"}
    kind = "PRIVATE" if private else "PUBLIC"
    found = keys.take(text) if f"-----BEGIN PGP {kind} KEY BLOCK-----" in text else []
    if not found:
        raise _KeyError(f"{name} holds no key that can be read, expected an armoured PGP {kind} KEY BLOCK")
    return found


def _not_decrypted(said: Said, ours: Sequence[str]) -> Finding:
    """Why a file could not be decrypted."""
    wanted = [line[0] for line in said.told("ENC_TO")]
    if _is_locked(said):
        return refusal(_LOCKED, "the passphrase of the private key", _MEND)
    if wanted and not said.told("DECRYPTION_KEY"):
        advice = "ask the sender to encrypt with our public key, or add the private key, then retry"
        return refusal(f"a file encrypted for {', '.join(wanted)}", f"one for our key {', '.join(ours)}", advice)
    if said.told("GOODSIG", "ERRSIG", "BADSIG") and not wanted:
        return refusal("a file that is signed but not encrypted", "an encrypted file", "ask the sender to encrypt it")
    return refusal(f"a damaged PGP file ({_why(said)})", "a whole one", "ask the sender for the file again")


def _signature(said: Said, senders: Sequence[str]) -> Finding | None:
    """What is wrong with the signature; None when one of the senders made it."""
    signatures = [line for line in said.status if line[0] in _SIGNED]
    expected = f"a signature of the sender's key {', '.join(senders)}"
    if not signatures:
        return refusal("an encrypted file without a signature", expected, "ask the sender to sign it")
    for line in signatures:
        if line[0] in _SPOILT:
            return refusal(
                f"{_SPOILT[line[0]]} ({line[1]})", expected, "ask the sender what happened to the file or key"
            )
    valid = {line[-1] for line in said.told("VALIDSIG")}  # of the primary key
    if valid & set(senders):
        return None
    found = f"a signature of another key ({', '.join(line[1] for line in signatures)})"
    return refusal(found, expected, "if that is the sender's new key, add it to verify, reload, then retry")


def _is_locked(said: Said) -> bool:
    """Whether gpg looked at one of our keys for decrypting, and could not use it: the passphrase is another one."""
    return bool(said.told("KEY_CONSIDERED")) and not said.told("DECRYPTION_KEY")


def _why(said: Said) -> str:
    return said.complaint or "gpg says nothing"


def _each(option: str, keys: Sequence[str]) -> list[str]:
    return [part for key in keys for part in (option, key)]


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
