"""docs/object-stores.md: its examples work, and its numbers and names are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from runware_provider import aws_connections, azure_connections, google_connections
from runware_provider.engine.cli_options import parsed
from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec_options import spec_of
from runware_provider.engine.storage import object_client, obstore_client, obstore_options, s3_client
from runware_provider.engine.storage.object_place import EXAMPLES, KINDS, is_object_url, object_place
from runware_provider.engine.storage.stores import STALE_S, Stores
from runware_provider.operators import TextInferenceOperator

PROJECT = Path(__file__).resolve().parents[1]
PAGE = (PROJECT / "docs" / "object-stores.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
OPTIONS = {"key": "c2VjcmV0", "secret": "s", "region": "eu-central-1", "account": "acc", "token": ""}


@pytest.mark.parametrize("code", [text for language, text in BLOCKS if language == "python"])
def test_each_python_example_makes_an_operator_whose_places_go_together(code: str) -> None:
    last = code.rindex("TextInferenceOperator(")
    names: dict[str, object] = {}
    exec(compile(f"{code[:last]}made = {code[last:]}", "object-stores.md", "exec"), names)  # noqa: S102 - the page's own example
    made = names["made"]
    assert isinstance(made, TextInferenceOperator)
    stores = Stores(lambda _: OPTIONS)
    destination = stores.open(made.destination)
    stores.open_beside(destination, f"{made.destination}.state", field="state")
    assert object_place(made.source).conn_id == "lake_reader"


def test_the_commands_are_ones_that_the_command_line_takes() -> None:
    lines = [
        line
        for language, text in BLOCKS
        if language == "bash"
        for line in text.replace("\\\n", " ").splitlines()
        if line.startswith("python")
    ]
    for line in lines:
        spec = spec_of(parsed(shlex.split(line)[3:]))
        assert is_object_url(spec.source)
        assert is_object_url(spec.destination)
    assert len(lines) == len(EXAMPLES)


def test_a_whole_bucket_is_no_destination_and_another_connection_is_another_store() -> None:
    stores = Stores(lambda place: {**OPTIONS, "key": place.conn_id or "environment"})
    with pytest.raises(BadInput, match="destination's store"):
        stores.open_beside(stores.open("s3://bucket"), "s3://bucket.state", field="state")
    with pytest.raises(BadInput, match="destination's store"):
        stores.open_beside(stores.open("s3://one@bucket/out"), "s3://two@bucket/out.state", field="state")


def test_a_url_with_a_connection_is_refused_outside_of_airflow() -> None:
    with pytest.raises(BadInput, match="no connections outside of Airflow"):
        Stores().open("s3://lake@bucket/out")


def test_the_numbers_and_names_are_those_of_the_code() -> None:
    told = [
        f"for {object_client.GIVE_UP_S:.0f} s; a try",
        f"waits {object_client.CONNECT_TIMEOUT_S:.0f} s for a connection",
        f"and {object_client.READ_TIMEOUT_S:.0f} s for the next bytes",
        f"in pieces of {obstore_client.PIECE_BYTES >> 20} MiB",
    ]
    told += [
        f"`{name}`"
        for connections in (aws_connections, google_connections, azure_connections)
        for name in connections.TYPES
    ]
    told += [f"`{name}`" for name in (*aws_connections.ITS_MATTER, *google_connections.ITS_MATTER)]
    told += [f"`{name}`" for name in s3_client._ENDPOINT_VARIABLES]
    told += [f"`{name}`" for name in (obstore_options.CONNECTION_STRING, obstore_options.ACCOUNT_VARIABLE)]
    told += [f"`{scheme}://" for scheme in KINDS]
    assert [one for one in told if one not in WORDS] == []
    assert STALE_S == 24 * 3600


def test_every_file_that_the_page_names_exists() -> None:
    links = [PROJECT / "docs" / target for target in re.findall(r"\]\(([^)#]+)\)", PAGE)]
    files = [PROJECT / name for name in re.findall(r"`(tests/[\w/.]+)`", PAGE)]
    assert [path for path in links + files if not path.exists()] == []
