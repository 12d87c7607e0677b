"""The configuration folder as a whole: what it builds, and how its mistakes are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edi_gateway.config.load import load_config
from edi_gateway.config.names import configured_names
from edi_gateway.errors import ConfigError
from edi_gateway.model import Status, TrackingEvent
from edi_gateway.plugins import Encoder, Format, Sink, Source
from tests import configured

Write = Callable[[str, str], Path]
NOW = datetime(2026, 5, 4, 3, 2, tzinfo=UTC)
CARRIER = "carriers/speedy.yaml"
CUSTOMER = "customers/globex.yaml"


def changed(path: Path, old: str, new: str) -> None:
    """Replace one text of a file that is there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def mistakes(folder: Path) -> list[str]:
    """The problems of a folder, each without the folder's path."""
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    return [problem.replace(f"{folder}/", "", 1) for problem in caught.value.problems]


def test_a_channel_is_built_from_its_carriers_file(folder: Path) -> None:
    """Plugins are built, what is left out comes from gateway.yaml or a default."""
    (channel,) = load_config(folder).channels
    assert channel.name == "speedy/files"
    assert (channel.carrier, channel.timezone, channel.mapping) == ("speedy", "Europe/Berlin", "speedy/status")
    assert (channel.every, channel.dedupe_window) == (timedelta(minutes=1), 1)
    assert channel.accept_test is False
    assert channel.asked_at == f"{folder}/{CARRIER}:7: "
    assert isinstance(channel.source, Source)
    assert isinstance(channel.format, Format)
    assert channel.source.model_dump()["host"] == "mail.speedy.example"  # type: ignore[attr-defined]


def test_a_destination_is_built_from_its_customers_file(folder: Path) -> None:
    """The sender is our identity, the sequence of control numbers is the partnership's, names carry the number."""
    (destination,) = load_config(folder).destinations
    assert (destination.name, destination.customer) == ("globex/edi", "globex")
    assert isinstance(destination.sink, Sink)
    assert isinstance(destination.encoder, Encoder)
    assert destination.control_numbers.key == "HUB:ZZZ>GLOBEX:14"
    assert (destination.control_numbers.start, destination.control_numbers.maximum) == (1, 99_999_999_999_999)
    assert destination.file_name(42, NOW) == "events_000042.edi"
    assert (destination.events, destination.replace_unencodable) == (frozenset({"all"}), False)
    assert (destination.batch.every, destination.batch.at_most) == (timedelta(minutes=5), 500)
    assert destination.batch.max_bytes == 1_000_000
    assert sum(destination.retry, timedelta(0)) > timedelta(hours=72)


def test_the_rules_of_a_customer_decide_what_its_destination_wants(folder: Path) -> None:
    """A destination asks its customer's rules."""
    (destination,) = load_config(folder).destinations
    event = TrackingEvent("speedy", "1", Status.DELIVERED, NOW, account="4711")
    assert destination.wants(event)
    assert not destination.wants(TrackingEvent("speedy", "1", Status.DELIVERED, NOW, account="0815"))


def test_what_a_file_says_wins_over_gateway_yaml(folder: Path, write: Write) -> None:
    """Channel and destination override poll, retry and identity."""
    write("gateway.yaml", 'identity: "HUB:ZZZ"\npoll: 2m\nretry: [1s]\n')
    config = load_config(folder)
    assert config.channels[0].every == timedelta(minutes=2)
    assert config.destinations[0].retry == (timedelta(seconds=1),)
    changed(folder / CARRIER, "    mapping:", "    every: 10s\n    mapping:")
    changed(folder / CUSTOMER, "    mapping:", "    retry: [3s, 4s]\n    mapping:")
    changed(folder / CUSTOMER, "{type: page,", '{type: page, sender: "OWN",')
    config = load_config(folder)
    assert config.channels[0].every == timedelta(seconds=10)
    assert config.destinations[0].retry == (timedelta(seconds=3), timedelta(seconds=4))
    assert config.destinations[0].control_numbers.key == "OWN>GLOBEX:14"


def test_the_embedded_database_lies_in_the_data_folder(folder: Path, write: Write) -> None:
    """Paths are seen from the configuration folder, the database from the data folder, absolute ones stay."""
    config = load_config(folder)
    data = folder.parent.resolve() / "data"
    assert config.installation.data == data
    assert config.installation.database.get_secret_value() == f"sqlite:///{data}/edi-gateway.db"
    write("gateway.yaml", "data: here\ndatabase: sqlite:////srv/other.db\nidentity: A\n")
    config = load_config(folder)
    assert config.installation.data == folder.resolve() / "here"
    assert config.installation.database.get_secret_value() == "sqlite:////srv/other.db"


def test_an_empty_gateway_yaml_and_no_partners_are_a_configuration(tmp_path: Path) -> None:
    """Everything has a default; nobody to serve is no mistake."""
    (tmp_path / "gateway.yaml").write_text("# nothing yet\n")
    config = load_config(tmp_path)
    assert (config.channels, config.destinations) == ((), ())


def test_a_folder_without_gateway_yaml_is_refused(tmp_path: Path) -> None:
    """A mistyped folder does not look like an empty configuration."""
    with pytest.raises(ConfigError, match=r"gateway\.yaml:1: cannot be read: No such file"):
        load_config(tmp_path / "confg")


def test_what_is_not_enabled_is_not_built(folder: Path) -> None:
    """A channel or destination that is switched off needs neither its secrets nor its plugin."""
    changed(folder / CARRIER, "mailbox, host", "pigeon, prot")
    changed(folder / CARRIER, "    mapping: speedy/status", "    mapping: none/yet\n    enabled: false")
    changed(folder / CUSTOMER, "    mapping:", "    enabled: false\n    mapping:")
    config = load_config(folder)
    assert (config.channels, config.destinations) == ((), ())


def test_every_mistake_of_every_file_is_told_at_once_in_order(folder: Path, write: Write) -> None:
    """One look is enough: syntax, keys, plugins and mappings of all files, by file and line."""
    write("gateway.yaml", "pol: 1m\n")
    changed(folder / CARRIER, "host:", "hots:")
    changed(folder / CARRIER, "carrier: speedy", "carier: speedy")
    write("carriers/broken.yaml", "a: [\n")
    changed(folder / CUSTOMER, "    mapping: globex/events\n", "")
    found = mistakes(folder)
    assert [problem.split(": ")[0] for problem in found] == [
        "carriers/broken.yaml:2",
        f"{CARRIER}:1",
        f"{CARRIER}:1",
        f"{CARRIER}:5",
        f"{CARRIER}:5",
        f"{CUSTOMER}:3",
        f"{CUSTOMER}:5",
        "gateway.yaml:1",
    ]
    assert "gateway.yaml:1: pol: unknown key, did you mean 'poll'?" in found
    assert f"{CARRIER}:5: channels.files.source.hots: unknown key, did you mean 'host'?" in found


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            CARRIER,
            "type: mailbox",
            "type: mailbx",
            "5: channels.files.source.type: found 'mailbx', expected one of ",
        ),
        (CARRIER, "type: mailbox, ", "", "5: channels.files.source: missing key 'type', expected one of "),
        (
            CARRIER,
            "type: lines",
            "type: lines, width: wide",
            "6: channels.files.format.width: found 'wide', expected a",
        ),
        (CARRIER, "{type: lines}", "lines", "6: channels.files.format: found 'lines', expected a mapping (key: value)"),
        (CARRIER, "speedy/status", "speedy/statsu", "7: there is no mapping speedy/statsu in "),
        (
            CARRIER,
            "Europe/Berlin",
            "europe/berln",
            "2: timezone: found 'europe/berln', expected an IANA time zone, did",
        ),
        (
            CARRIER,
            "    mapping",
            "    enabled: NO\n    mapping",
            "7: channels.files.enabled: found 'NO', expected true or false",
        ),
        (CARRIER, "carrier: speedy", "carrier: Speedy!", "1: carrier: found 'Speedy!', expected match pattern"),
        (CARRIER, "channels:", "dedupe_window: 90s\nchannels:", "1: dedupe_window is 0:01:30, expected whole minutes"),
        (CUSTOMER, "type: page", "type: pages", "7: destinations.edi.format.type: found 'pages', expected one of "),
        (
            CUSTOMER,
            "carrier: speedy",
            "carrier: spedy",
            "3: receives[0].carrier: there is no carrier 'spedy', did you mean",
        ),
        (CUSTOMER, '{carrier: speedy, account: "47*"}', "{}", "3: receives[0]: a rule without conditions"),
        (CUSTOMER, '"47*"', "4711", "3: receives[0].account: found 4711, expected text; put quotes around it"),
        (CUSTOMER, '"47*"', '"47*", status: DELIVERD', "3: receives[0].status: found 'DELIVERD', expected one of "),
        (
            CUSTOMER,
            "events_{control:06}.edi",
            "events.edi",
            "9: destinations.edi.file_name: found 'events.edi', expected {",
        ),
        (
            CUSTOMER,
            "    mapping",
            "    events: some\n    mapping",
            "8: destinations.edi.events: found 'some', expected one of",
        ),
        (
            CUSTOMER,
            "    mapping",
            "    retry: []\n    mapping",
            "8: destinations.edi.retry: found an empty list, expected at least 1",
        ),
        (
            CUSTOMER,
            "    mapping",
            "    control_numbers: {start: 9, maximum: 8}\n    mapping",
            "8: destinations.edi.control_numbers: maximum 8 is below start 9",
        ),
        ("gateway.yaml", '"HUB:ZZZ"', '"HUB:ZZZZZ"', "1: identity: found 'HUB:ZZZZZ', expected ID, ID:QUALIFIER or "),
        ("gateway.yaml", "identity:", "mappings: ../mapings\nidentity:", "1: mappings: there is no folder ../mapings"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_remedy(folder: Path, file: str, old: str, new: str, said: str) -> None:
    """Whoever wrote the line learns what stood there, what belongs there, and the nearest word that would do."""
    changed(folder / file, old, new)
    found = mistakes(folder)
    assert any(problem.startswith(f"{file}:{said}") for problem in found), found


def test_did_you_mean_knows_the_plugins_that_are_installed(folder: Path) -> None:
    """An unknown type lists what there is and the nearest."""
    changed(folder / CARRIER, "type: mailbox", "type: mailbx")
    (problem,) = mistakes(folder)
    assert "mailbox" in problem
    assert problem.endswith("did you mean 'mailbox'?")


def test_the_mappings_that_come_with_the_gateway_are_found_from_anywhere(folder: Path) -> None:
    """A channel may use standard/iftsta although its own mappings folder does not have it; an own file wins."""
    changed(folder / CARRIER, "speedy/status", "standard/iftsta")
    library = load_config(folder).installation.library
    shipped = library.find("standard/iftsta")
    own = folder.parent / "mappings" / "standard" / "iftsta.yaml"
    own.parent.mkdir()
    own.touch()
    assert library.find("standard/iftsta").samefile(own)
    assert not shipped.samefile(own)


def test_nobody_is_configured_twice(folder: Path, write: Write) -> None:
    """A carrier or customer in two files is refused, and both places are named."""
    write("carriers/again.yaml", (folder / CARRIER).read_text())
    write("customers/again.yaml", "\n" + (folder / CUSTOMER).read_text())
    again = f"expected each in one file; the first is {folder}"
    assert mistakes(folder) == [
        f"{CARRIER}:1: carrier 'speedy' once more, {again}/carriers/again.yaml:1",
        f"{CUSTOMER}:1: customer 'globex' once more, {again}/customers/again.yaml:2",
    ]


def test_a_file_that_would_not_be_read_is_told(folder: Path, write: Write) -> None:
    """A file called .yml is not silently left out; an editor's hidden files are."""
    write("carriers/other.yml", "carrier: other\nchannels: {}\n")
    write("carriers/.#speedy.yaml", "carrier: [")
    assert "carriers/other.yml:1: file is not read, expected a name that ends in .yaml" in mistakes(folder)


def test_a_secret_is_resolved_and_never_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference becomes the secret; neither configuration nor errors print it."""
    changed(folder / CARRIER, "host:", 'password: "${env:SPEEDY_PASSWORD}", host:')
    monkeypatch.delenv("SPEEDY_PASSWORD", raising=False)
    (problem,) = mistakes(folder)
    assert problem.startswith(f"{CARRIER}:5: channels.files.source.password: ")
    assert "SPEEDY_PASSWORD" in problem
    monkeypatch.setenv("SPEEDY_PASSWORD", "open sesame")
    config = load_config(folder)
    assert "open sesame" not in repr(config)
    assert config.channels[0].source.password.get_secret_value() == "open sesame"  # type: ignore[union-attr]


def test_a_secret_written_out_is_refused_unseen(folder: Path) -> None:
    """A password in plain text is a mistake, and the message does not repeat it."""
    changed(folder / CARRIER, "host:", "password: hunter2, host:")
    (problem,) = mistakes(folder)
    assert problem.startswith(f"{CARRIER}:5: channels.files.source.password: ")
    assert "hunter2" not in problem


def test_without_an_identity_a_sender_has_to_be_named(folder: Path, write: Write) -> None:
    """An outbound format that asks for a sender gets it from the destination or from gateway.yaml."""
    write("gateway.yaml", "")
    (problem,) = mistakes(folder)
    assert problem.startswith(f"{CUSTOMER}:7: destinations.edi.format: missing key 'sender'")


def test_destinations_cannot_write_over_each_others_files(tmp_path: Path) -> None:
    """Two sequences of control numbers in one folder would give the same names twice."""
    second = "  more:\n" + configured.GLOBEX.partition("  edi:\n")[2].replace("GLOBEX:14", "GLOBEX-TWO:14")
    folder = configured.write(tmp_path / "config", customers__globex=configured.GLOBEX + second)
    (said,) = mistakes(folder)
    assert "globex/edi and globex/more would write files of the same names" in said
    configured.write(folder, customers__globex=configured.GLOBEX + second.replace("globex_", "more_"))
    assert len(load_config(folder).destinations) == 3


def test_destinations_that_share_a_sequence_agree_where_it_begins_and_ends(tmp_path: Path) -> None:
    """One sender and recipient is one sequence of control numbers; the second that differs is told, with its line."""
    body = configured.GLOBEX.partition("  edi:\n")[2].replace("globex_", "more_")
    limits = "    control_numbers: {maximum: 99999, roll_over: false}\n"
    folder = configured.write(tmp_path / "config", customers__globex=configured.GLOBEX + "  more:\n" + body + limits)
    (said,) = mistakes(folder)
    assert said.startswith("customers/globex.yaml:16: control_numbers: globex/more and globex/edi have the same sender")
    assert "found 1 to 99999, no roll_over here and 1 to 99999999999999, roll_over there" in said
    configured.write(folder, customers__globex=configured.GLOBEX + limits + "  more:\n" + body + limits)
    assert len(load_config(folder).destinations) == 3


def test_strict_order_is_one_file_at_a_time(folder: Path) -> None:
    """Without it several are on their way, as many as the destination says."""
    assert (False, 4) == ((usual := load_config(folder).destinations[0]).in_order, usual.in_flight)
    changed(folder / CUSTOMER, "    mapping", "    order: strict\n    in_flight: 9\n    mapping")
    assert (True, 1) == ((strict := load_config(folder).destinations[0]).in_order, strict.in_flight)


def test_names_of_partners_need_no_secrets(folder: Path) -> None:
    """Who is configured can be asked by somebody who may not read a partner's password; what is off does not count."""
    changed(folder / CARRIER, "host:", 'password: "${env:NOBODY_SET_THIS}", host:')
    assert ({"speedy/files"}, {"globex/edi"}) == configured_names(folder)
    changed(folder / CUSTOMER, "    mapping", "    enabled: false\n    mapping")
    assert ({"speedy/files"}, set()) == configured_names(folder)
