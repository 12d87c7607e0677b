"""Users of the test server: who may log in, and the mailbox folders each finds there."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from paramiko import PKey


@dataclass(frozen=True)
class User:
    """One login and its mailbox.

    `public_keys` are lines as in an OpenSSH public key file; `home` is a folder below the server's root, by default the
    user's name; `folders` are made in it when the server starts. Raises ValueError for a user nobody could be.
    """

    name: str
    password: str | None = field(default=None, repr=False)
    public_keys: tuple[str, ...] = ()
    home: str = ""
    folders: tuple[str, ...] = ("in", "out")

    def __post_init__(self) -> None:
        """Refuse a user who cannot log in, or whose folders would lie outside the root."""
        if self.password is None and not self.public_keys:
            raise ValueError(f"user {self.name!r} cannot log in: give a password, public_keys, or both")
        for key in self.public_keys:
            _key_blob(key)
        for folder in (self.home or self.name, *self.folders):
            if Path(folder).is_absolute() or ".." in Path(folder).parts:
                raise ValueError(f"user {self.name!r}: folder {folder!r} leaves the mailbox: name one relative to it")

    def accepts_password(self, password: str) -> bool:
        """Tell whether `password` is this user's."""
        return self.password is not None and password == self.password

    def accepts_key(self, key: PKey) -> bool:
        """Tell whether `key` is one of this user's public keys."""
        return key.asbytes() in {_key_blob(line) for line in self.public_keys}

    def home_below(self, root: Path) -> Path:
        """Return the user's mailbox in a server's root folder."""
        return root / (self.home or self.name)

    def make_home(self, root: Path) -> None:
        """Make the mailbox and its folders, as far as they are not there."""
        for folder in ("", *self.folders):
            (self.home_below(root) / folder).mkdir(parents=True, exist_ok=True)


def parse_user(name: str, document: object) -> User:
    """Read a user from its YAML form: `{password: ..., public_keys: [...], home: ..., folders: [...]}`.

    Raises ValueError with what is wrong and what was expected.
    """
    known = [field.name for field in fields(User) if field.name != "name"]
    values: dict[str, Any] = dict(document) if isinstance(document, Mapping) else {}
    unknown = set(values) - set(known)
    if not values or unknown:
        raise ValueError(f"user {name!r} is {document!r}; expected a mapping with some of {', '.join(known)}")
    for key, value in values.items():
        values[key] = str(value) if key in {"password", "home"} else _texts(name, key, value)
    return User(name, **values)


def _texts(name: str, key: str, value: object) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else []
    if not texts and value != []:
        raise ValueError(f"user {name!r}: {key} is {value!r}; expected a list")
    return tuple(map(str, texts))


def _key_blob(line: str) -> bytes:
    """Return the key of a public key line such as `ssh-ed25519 AAAAC3... comment`."""
    try:
        return base64.b64decode(line.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise ValueError(f"not a public key line: {line!r}; expected one such as 'ssh-ed25519 AAAA...'") from error
