"""Located YAML: plain data, lines, and mistakes told where they stand."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from edi_gateway.errors import ConfigError
from edi_gateway.located import Loc, did_you_mean, load, validate

HERE = Path("config/carriers/speedy.yaml")


def data(text: str) -> Any:
    """The plain data of a YAML text."""
    return load(HERE, text).data


def refusal(text: str) -> str:
    """What is said about a YAML text that is refused."""
    with pytest.raises(ConfigError) as caught:
        load(HERE, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-5", -5),
        ("+7", 7),
        ("99999999999999", 99999999999999),
        ("1.50", 1.5),
        ("-0.5", -0.5),
        ("!!int 5", 5),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!null ''", None),
    ],
)
def test_core_scalars_become_plain_values(text: str, value: object) -> None:
    """Only the words and decimal numbers of the core schema are more than text."""
    found = data(f"key: {text}")["key"]
    assert value == found
    assert type(value) is type(found)


@pytest.mark.parametrize(
    "text",
    [
        "NO",
        "ON",
        "Y",
        "yes",
        "no",
        "off",
        "True",
        "NULL",
        "07",
        "007",
        "0x1F",
        "0o17",
        "1_000",
        "12:30",
        "190:20:30",
        "2024-01-01",
        "2024-01-01T10:00:00Z",
        "1e5",
        ".5",
        "5.",
        ".inf",
        ".nan",
        "1.2.3",
        "=",
        "00340434161094012345",
        "340434161094012345678",
    ],
)
def test_what_looks_like_something_else_stays_text(text: str) -> None:
    """Country codes, house codes, times and long numbers are not turned into anything."""
    assert text == data(f"key: {text}")["key"]
    assert [text] == data(f"[{text}]")


@pytest.mark.parametrize("text", ["'true'", '"7"', "|-\n  7", ">-\n  null"])
def test_quoted_and_block_scalars_are_text(text: str) -> None:
    """Quotes and block style always make text."""
    assert isinstance(data(f"key: {text}")["key"], str)


def test_keys_are_text_exactly_as_written() -> None:
    """A key is never a number, a boolean, a null or a merge."""
    text = "7: a\n07: b\nNO: c\ntrue: d\n~: e\n1.0: f\n<<: {x: 1}\n'q': g"
    assert list(data(text)) == ["7", "07", "NO", "true", "~", "1.0", "<<", "q"]


def test_an_empty_file_holds_nothing() -> None:
    """No document, an empty one and a comment alone are all None."""
    assert [data(""), data("---\n"), data("# nothing yet\n")] == [None, None, None]
    assert load(HERE, "").line(("key",)) == 1


CHANNELS = """\
carrier: speedy

channels:
  status-files:
    # where from
    source: {type: sftp, host: a,
             port: 22}
    patterns:
      - "*.csv"
      - "*.txt"
"""


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        ((), 1),
        (("carrier",), 1),
        (("channels",), 3),
        (("channels", "status-files", "source"), 6),
        (("channels", "status-files", "source", "port"), 7),
        (("channels", "status-files", "patterns"), 8),
        (("channels", "status-files", "patterns", 1), 10),
        (("channels", "status-files", "patterns", 9), 8),
        (("channels", "other", "deeper"), 3),
    ],
)
def test_every_value_has_its_line(loc: Loc, line: int) -> None:
    """A mapping's value stands at its key; what is not there stands at its nearest ancestor."""
    assert line == load(HERE, CHANNELS).line(loc)


def test_a_file_is_read_with_its_byte_order_mark_and_its_line_ends(tmp_path: Path) -> None:
    """What Windows editors write is read like anything else."""
    path = tmp_path / "speedy.yaml"
    path.write_bytes(b"\xef\xbb\xbfcarrier: speedy\r\ncity: K\xc3\xb6ln\r\n")
    located = load(path)
    assert located.data == {"carrier": "speedy", "city": "Köln"}
    assert located.at(("city",)) == f"{path}:2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", ":3: duplicate key 'a', expected each key once (first on line 1)"),
        ("a: &x [1, *x]", ":1: an alias that holds itself"),
        ("a: 1\nb: *x", ":2: an alias nobody defined"),
        ("a:\n  b: !!python/object:os.system x", ":2: a tag, expected quotes"),
        ("a: !local {}", ":1: a tag, expected plain YAML"),
        ("a: !!timestamp 2024-01-01", ":1: a tag"),
        ("a: !!int x", ":1: a tag"),
        ("!!set {a: }", ":1: a tag"),
        ("!!binary a: b", ":1: a tag"),
        ("a: 1\n---\nb: 2", ":2: a second document, expected one per file"),
        ("a: b: c", ":1: mapping values are not allowed in this context, expected quotes"),
        ("a:\n\tb: c", ":2: found character"),
        ('a: "\\d"', ":1: found unknown escape character, expected single quotes"),
        ("a: 1\nb: 'x", ":2: found unexpected end of stream, expected the closing quote"),
        ("a:\n  - 1\n b: 2", ":3: did not find expected key"),
        ("? [1]\n: 2", ":1: a list, mapping or alias as a key"),
        ("a: 1\nb: \x07", ":2: control character '\\x07'"),
        ("[" * 70, ":1: nested too deep"),
    ],
)
def test_a_mistake_in_the_yaml_is_told_at_its_line(text: str, said: str) -> None:
    """Syntax errors and what is not allowed name file, line, what was found and what was expected."""
    assert f"{HERE}{said}" in refusal(text)


def test_an_alias_stands_at_its_own_line_and_shares_what_is_below() -> None:
    """An alias is its anchor's value; the key that uses it gives the line."""
    located = load(HERE, "a: &a\n  x: 1\nb: *a\n")
    assert located.data == {"a": {"x": 1}, "b": {"x": 1}}
    assert located.line(("b",)) == 3


def test_an_alias_bomb_is_refused_without_being_unfolded() -> None:
    """Aliases of aliases count with all they hold."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    assert ":6: too many values, expected at most 1,000,000" in refusal("\n".join(lines))


def test_a_file_that_is_too_long_is_refused() -> None:
    """A file is at most five million characters."""
    assert "5,000,001 characters, expected at most 5,000,000" in refusal("#" * 5_000_001)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file and a file in another encoding are told like every mistake."""
    with pytest.raises(ConfigError, match=r"missing\.yaml:1: cannot be read: No such file"):
        load(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: K\xf6ln\n")
    with pytest.raises(ConfigError, match=r"latin\.yaml:2: byte 0xf6, expected text saved as UTF-8"):
        load(tmp_path / "latin.yaml")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefNO7 _-", max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(PLAIN)
def test_what_a_yaml_writer_writes_is_read_back(value: Any) -> None:
    """Data dumped by a YAML 1.1 writer, which quotes more than we need, comes back unchanged."""
    assert value == data(yaml.safe_dump(value, allow_unicode=False))


@given(st.text("abc:-[]{}&*!|>'\"#%@,? \n\t1~", max_size=40))
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    """No text raises anything but ConfigError, and that begins with file and line."""
    try:
        load(HERE, text)
    except ConfigError as error:
        assert str(error).startswith(f"{HERE}:")  # noqa: PT017 - both outcomes are fine


class Kind(StrEnum):
    """Values to choose from."""

    DELIVERED = "DELIVERED"
    LOST = "LOST"


class Source(BaseModel):
    """A model such as a plugin's options."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    host: str = Field(description="name or address of the server")
    port: int = Field(22, ge=1, le=65535)
    password: SecretStr | None = None
    token: Annotated[int, Field(repr=False)] = 0
    after: Literal["delete", "leave"] | dict[str, str] = "leave"
    then: Literal["stop"] | Channel = "stop"
    pattern: str | list[str] = "*"

    @field_validator("pattern")
    @classmethod
    def _no_folder(cls, value: str | list[str]) -> str | list[str]:
        if "/" in value:
            message = "a pattern holds no folder; write it under path"
            raise ValueError(message)
        return value


class Channel(BaseModel):
    """A model that holds others."""

    model_config = ConfigDict(extra="forbid")
    source: Source | str
    only: tuple[Kind, ...] = ()
    condition: str = Field("", alias="if")

    @model_validator(mode="after")
    def _says_something(self) -> Channel:
        if self.condition == "never":
            message = "never is no condition"
            raise ValueError(message)
        return self


class Carrier(BaseModel):
    """The model of a whole file."""

    model_config = ConfigDict(extra="forbid")
    carrier: str
    channels: dict[str, Channel] = {}


def mistakes(text: str) -> list[str]:
    """The problems found in a carrier's file."""
    with pytest.raises(ConfigError) as caught:
        validate(Carrier, load(HERE, text))
    return [problem.removeprefix(f"{HERE}:") for problem in caught.value.problems]


def test_a_valid_file_becomes_its_model() -> None:
    """Values arrive in the model, aliases by the names YAML uses."""
    text = "carrier: speedy\nchannels:\n  a: {source: {host: x, after: {move: /done}}, only: [LOST], if: always}\n"
    carrier = validate(Carrier, load(HERE, text))
    channel = carrier.channels["a"]
    assert channel.source == Source(host="x", after={"move": "/done"})
    assert channel.only == (Kind.LOST,)
    assert channel.condition == "always"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{host: a, hots: b}", "4: channels.a.source.hots: unknown key, expected one of host, port, password, token"),
        ("{hots: a}", "4: channels.a.source.hots: unknown key, did you mean 'host'?"),
        ("{}", "4: channels.a.source: missing key 'host', expected name or address of the server"),
        ("{host: 10}", "4: channels.a.source.host: found 10, expected text; put quotes around it"),
        ("{host: a, port: many}", "4: channels.a.source.port: found 'many', expected a whole number"),
        ("{host: a, port: 0}", "4: channels.a.source.port: found 0, expected greater than or equal to 1"),
        ("{host: ~}", "4: channels.a.source.host: found nothing, expected text"),
        (
            "{host: a, after: delte}",
            "4: channels.a.source.after: found 'delte', expected one of 'delete' or 'leave' or a mapping (key: value)",
        ),
        ("{host: a, pattern: 5}", "4: channels.a.source.pattern: found 5, expected text or a list; put quotes around"),
        ("{host: a, pattern: x/y}", "4: channels.a.source.pattern: a pattern holds no folder; write it under path"),
        ("{host: [a]}", "4: channels.a.source.host: found a list, expected text"),
        ("7", "4: channels.a.source: found 7, expected a mapping (key: value) or text"),
        ("a\n    only: [LOST, DELIVERD]", "5: channels.a.only[1]: found 'DELIVERD', expected one of 'DELIVERED'"),
        ("a\n    condition: x", "5: channels.a.condition: unknown key"),
        ("a\n    if: never", "3: channels.a: never is no condition"),
    ],
)
def test_a_mistake_names_its_line_its_place_and_the_remedy(source: str, said: str) -> None:
    """One problem per mistake: file, line, dotted place, what was found, what was expected."""
    found = mistakes(f"carrier: speedy\nchannels:\n  a:\n    source: {source}\n")
    assert any(problem.startswith(said) for problem in found), found


def test_all_mistakes_are_told_in_order_of_lines() -> None:
    """A file with several mistakes is told about all of them at once."""
    found = mistakes("channels:\n  a:\n    source: {host: 1}\n  b: {}\n")
    assert [problem.partition(":")[0] for problem in found] == ["1", "3", "4"]


def test_a_mistake_in_one_branch_of_a_union_is_not_told_for_the_others() -> None:
    """Who wrote a mapping is told about its keys, not that a word would do as well."""
    found = mistakes("carrier: a\nchannels:\n  a:\n    source: {host: b, then: {source: c, onyl: [LOST]}}\n")
    assert found == ["4: channels.a.source.then.onyl: unknown key, did you mean 'only'?"]


def test_a_file_that_is_no_mapping_is_told_so() -> None:
    """An empty file or a list where keys belong is one problem."""
    assert mistakes("") == ["1: found nothing, expected a mapping (key: value)"]
    assert mistakes("- a") == ["1: found a list, expected a mapping (key: value)"]


@pytest.mark.parametrize("secret", ["password: 1234567", "token: hunter2", "pasword: hunter2"])
def test_a_secret_is_never_shown(secret: str) -> None:
    """Neither a secret of the wrong type nor one under a misspelt key appears in a problem."""
    found = "".join(mistakes(f"carrier: a\nchannels:\n  a:\n    source:\n      host: b\n      {secret}\n"))
    assert "6: channels.a.source." in found
    assert secret.rsplit(maxsplit=1)[-1] not in found


def test_a_part_is_validated_at_its_place() -> None:
    """A value deep in a file is checked alone, without the keys that are not the model's."""
    located = load(HERE, "carrier: a\nchannels:\n  a:\n    source: {type: sftp, host: b, prt: 3}\n")
    with pytest.raises(ConfigError) as caught:
        validate(Source, located, ("channels", "a", "source"), without=("type",))
    assert caught.value.problems == (f"{HERE}:4: channels.a.source.prt: unknown key, did you mean 'port'?",)


def test_defaults_stand_for_absent_keys_only() -> None:
    """What the file says wins over a default from elsewhere."""
    located = load(HERE, "host: a\n")
    assert validate(Source, located, defaults={"host": "b", "port": 99}) == Source(host="a", port=99)


def test_a_validators_config_error_gets_its_place() -> None:
    """A validator may raise the gateway's own error; file and line are put before it."""

    class Trusting(BaseModel):
        host: str

        @field_validator("host")
        @classmethod
        def _refuse(cls, value: str) -> str:
            raise ConfigError(f"nothing proves that {value} is {value}")

    with pytest.raises(ConfigError) as caught:
        validate(Trusting, load(HERE, "a:\n  source: {host: b}\n"), ("a", "source"))
    assert caught.value.problems == (f"{HERE}:2: a.source: nothing proves that b is b",)


def test_validators_are_given_the_context() -> None:
    """What a validator needs to know of its surroundings comes through pydantic's context."""

    class Asking(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def _greet(cls, value: str, info: Any) -> str:
            return f"{value} of {info.context['customer']}"

    assert validate(Asking, load(HERE, "name: a"), context={"customer": "globex"}).name == "a of globex"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("hots", ", did you mean 'host'?"),
        ("HOST", ", did you mean 'host'?"),
        ("europe/berlin", ", did you mean 'Europe/Berlin'?"),
        ("qqq", ""),
    ],
)
def test_did_you_mean_names_the_nearest_candidate(word: str, said: str) -> None:
    """Case does not matter, and nothing is guessed when nothing is near."""
    assert said == did_you_mean(word, ["host", "port", "Europe/Berlin"])
