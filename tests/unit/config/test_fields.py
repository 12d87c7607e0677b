"""Fields several files share, and the database's URL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from edi_gateway.config.database import DatabaseUrl, located_in
from edi_gateway.config.fields import Name, PartyText, Zone
from edi_gateway.config.schema import json_schema


class Fields(BaseModel):
    """One of each."""

    name: Name = "a"
    zone: Zone = "UTC"
    party: PartyText = "A"
    database: DatabaseUrl | None = None


def refusal(**value: object) -> str:
    """What is said about a value that is refused."""
    with pytest.raises(ValidationError) as caught:
        Fields.model_validate(value)
    return str(caught.value.errors(include_input=False)[0]["msg"])


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_a_zone_of_the_time_zone_database_is_taken(zone: str) -> None:
    """IANA names are zones."""
    assert Fields(zone=zone).zone == zone


@pytest.mark.parametrize("zone", ["", "Europe", "CEST", "../etc/passwd", "/etc/localtime", "+02:00", "Europe/Berln"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    """Folders, paths, offsets and misspellings are no zones."""
    assert f"found {zone!r}, expected an IANA time zone" in refusal(zone=zone)


@pytest.mark.parametrize("party", ["HUB", "HUB:ZZZ", "4012345000009:14:ROUTE", "x" * 35])
def test_a_party_is_id_qualifier_and_routing(party: str) -> None:
    """Up to three parts of the lengths UNB allows."""
    assert Fields(party=party).party == party


@pytest.mark.parametrize("party", ["", ":14", "HUB:ZZZZZ", "a:b:c:d", "x" * 36, " :14"])
def test_what_is_no_party_is_refused(party: str) -> None:
    """Empty, overlong and superfluous parts are refused."""
    assert "expected ID, ID:QUALIFIER or" in refusal(party=party)


@pytest.mark.parametrize("name", ["", "Speedy", "a b", "a/b", "-a", "ä", "x" * 65, "a\n"])
def test_a_name_is_plain(name: str) -> None:
    """Names are lower case letters, digits, - and _, so that they can stand in paths and logs."""
    assert "pattern" in refusal(name=name)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("sqlite:///edi.db", "sqlite:///edi.db"),
        ("postgresql://hub@db/edi", "postgresql+psycopg://hub@db/edi"),
        ("postgres://hub:${env:DB_PASSWORD}@db:5432/edi", "postgresql+psycopg://hub:p%40ss%2Fword@db:5432/edi"),
        ("postgresql+psycopg://${env:DB_USER}:${env:DB_PASSWORD}@db/edi", None),
        ("${env:DB_URL}", "postgresql+psycopg://hub:secret@db/edi"),
    ],
)
def test_references_in_a_database_url_are_resolved(
    monkeypatch: pytest.MonkeyPatch, written: str, url: str | None
) -> None:
    """A part is quoted as a URL needs it, a whole URL is taken as it is, and neither is printed."""
    monkeypatch.setenv("DB_USER", "h:b")
    monkeypatch.setenv("DB_PASSWORD", "p@ss/word")
    monkeypatch.setenv("DB_URL", "postgresql://hub:secret@db/edi")
    fields = Fields.model_validate({"database": written})
    assert fields.database is not None
    url = url or "postgresql+psycopg://h%3Ab:p%40ss%2Fword@db/edi"
    assert fields.database.get_secret_value() == url
    assert url not in repr(fields)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("postgresql://hub:hunter2@db/edi", "a password in plain text, expected a reference"),
        ("mysql://db/edi", "expected sqlite:///FILE or postgresql://"),
        ("sqlite:///", "expected sqlite:///FILE or postgresql://"),
        ("sqlite://", "expected sqlite:///FILE or postgresql://"),
        ("postgresql://", "expected sqlite:///FILE or postgresql://"),
        ("edi.db", "expected sqlite:///FILE or postgresql://"),
        ("postgresql://hub:${env:NOT_SET_ANYWHERE}@db/edi", "NOT_SET_ANYWHERE"),
    ],
)
def test_a_database_url_that_will_not_do_is_refused(written: str, said: str) -> None:
    """Other databases, no file, a literal password and a missing variable are told, no password is."""
    found = refusal(database=written)
    assert said in found
    assert "hunter2" not in found


def test_only_an_embedded_database_lies_in_the_data_folder(tmp_path: Path) -> None:
    """A relative file moves into the data folder, an absolute one and a server stay."""
    urls = ["sqlite:///edi.db", "sqlite:////srv/edi.db", "postgresql://hub@db/edi"]
    found = [Fields.model_validate({"database": url}).database for url in urls]
    assert [located_in(tmp_path, url).get_secret_value() for url in found if url] == [
        f"sqlite:///{tmp_path}/edi.db",
        "sqlite:////srv/edi.db",
        "postgresql+psycopg://hub@db/edi",
    ]


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("file", ["gateway", "carrier", "customer", "mapping"])
def test_editors_get_a_schema_with_the_installed_plugins(file: str) -> None:
    """The schema is plain JSON and knows every plugin's options by its type."""
    schema = json.loads(json.dumps(json_schema(file)))
    assert schema["additionalProperties"] is False
    assert all(value.get("description") for value in schema["properties"].values())
    expected = {"carrier": ["mailbox", "lines"], "customer": ["printer", "page"]}.get(file, [])
    assert [name for name in expected if f'"const": "{name}"' not in json.dumps(schema)] == []
