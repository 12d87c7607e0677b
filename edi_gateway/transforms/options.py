"""What may stand between the bytes that arrive and a format: the options, as people write them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edi_gateway.quantities import Size
from edi_gateway.secrets import Secret
from edi_gateway.transforms.gnupg import missing


class Unpack(BaseModel):
    """How packed files are unpacked, and how far they may expand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accept: Literal["auto", "gzip", "zip", "plain"] = Field(
        "auto",
        description="auto: what begins as gzip or zip does is unpacked; gzip, zip: nothing else is taken; plain: never",
    )
    max_size: Size = Field(
        256_000_000, ge=1, description="what one file may unpack to, all of a zip's members together"
    )
    max_ratio: int = Field(
        200, ge=1, description="how many times its packed size a file may unpack to; not looked at below 1 MB"
    )


class _Keys(BaseModel):
    """Options that name keys: no error shows what they lead to."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="after")
    def _gpg_is_there(self) -> Self:
        if lacking := missing():
            raise ValueError(lacking)
        return self


class Decrypt(_Keys):
    """How encrypted files of a channel are decrypted (PGP), and whose signature they bear."""

    private_key: Secret = Field(description="our private key or keys, armoured")
    passphrase: Secret | None = Field(None, description="of the private key, when it has one")
    verify: Secret | None = Field(
        None, description="the sender's public key or keys, armoured; each file must be signed by one of them"
    )
    plain: Literal["refuse", "accept"] = Field(
        "refuse", description="files that are not encrypted: set them aside, or read them as they are"
    )


class Encrypt(_Keys):
    """For whom files of a destination are encrypted (PGP), and who signs them."""

    to: Secret = Field(description="the customer's public key or keys, armoured; each of them can decrypt the files")
    sign: Secret | None = Field(None, description="our private key that signs the files, armoured; default: unsigned")
    passphrase: Secret | None = Field(None, description="of the signing key, when it has one")
    armor: bool = Field(default=True, strict=True, description="write the files as text; false: as bytes")
