"""What every object store is taken for when the network and the store misbehave, over real sockets."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_reader import TAIL_BYTES
from tests.s3.proxy import CutBody, Hold, LoseReply, LoseRequest, Refuse, SendTwice
from tests.store_bench import a_bench
from tests.store_servers import SERVERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.store_bench import Bench


@pytest.fixture(params=SERVERS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from a_bench(request.param)


@pytest.fixture
def proxy(bench):
    return bench.proxy


@pytest.fixture
def storage(bench):
    return bench.storage()


@pytest.fixture
def folder(bench):
    return bench.folder


@pytest.fixture
def path(bench):
    return bench.path


def test_a_creation_that_came_after_anothers_is_not_ours_though_its_reply_is_lost(storage, proxy, path):
    storage.create_new(path, b"theirs")
    proxy.add(LoseReply(), method="PUT", times=1)
    assert not storage.create_new(path, b"ours")
    assert storage.read(path) == b"theirs"


def test_a_replacement_whose_reply_was_lost_is_known_to_be_ours(storage, proxy, path):
    storage.create_new(path, b"one")
    _, version = storage.read_versioned(path)
    proxy.add(LoseReply(), method="PUT", times=1)
    assert storage.replace_if(path, b"two", version)
    assert storage.read(path) == b"two"


def test_a_replacement_that_lost_the_race_is_not_ours_though_its_reply_is_lost(storage, proxy, path):
    storage.create_new(path, b"one")
    _, version = storage.read_versioned(path)
    storage.replace_if(path, b"theirs", version)
    proxy.add(LoseReply(), method="PUT", times=1)
    assert not storage.replace_if(path, b"ours", version)
    assert storage.read(path) == b"theirs"


def test_a_copy_whose_reply_was_lost_is_made_again(storage, proxy, folder, path):
    storage.create_new(path, b"part")
    proxy.add(LoseReply(), method="PUT", times=1)
    storage.copy(path, f"{folder}/copy")
    assert storage.read(f"{folder}/copy") == b"part"


def test_a_store_that_does_not_copy_is_written_to(storage, proxy, folder, path):
    storage.create_new(path, b"part")
    proxy.add(Refuse(501), method="PUT", times=1)
    storage.copy(path, f"{folder}/copy")
    assert storage.read(f"{folder}/copy") == b"part"


def test_a_write_that_something_on_the_way_repeats_is_ours(storage, proxy, path):
    proxy.add(SendTwice(), method="PUT", times=1)
    assert storage.create_new(path, b"ours")


def test_a_request_that_never_arrived_is_sent_again(storage, proxy, path):
    proxy.add(LoseRequest(), times=2)
    assert storage.create_new(path, b"ours")
    assert storage.read(path) == b"ours"


def test_a_body_that_breaks_off_is_read_again_and_never_taken_for_all(storage, proxy, path):
    storage.create_new(path, b"0123456789")
    proxy.add(CutBody(after=3), method="GET", times=2)
    assert storage.read(path) == b"0123456789"
    proxy.add(CutBody(after=3), method="GET", times=1)
    assert storage.open(path).read() == b"0123456789"


def test_a_listing_that_breaks_off_is_asked_for_again(storage, proxy, folder, path):
    storage.create_new(path, b"")
    proxy.add(CutBody(after=200), method="LIST", times=2)
    assert [entry.path for entry in storage.list(folder)] == [path]


def test_a_slow_listing_holds_up_nothing_else(storage, proxy, folder, path):
    storage.create_new(path, b"x")
    hold = Hold()
    proxy.add(hold, method="LIST", times=1)
    found: list[str] = []
    lister = threading.Thread(target=lambda: found.extend(entry.path for entry in storage.list(folder)))
    lister.start()
    assert hold.reached.wait(30)
    assert storage.read(path) == b"x"
    assert not found
    hold.release.set()
    lister.join()
    assert found == [path]


@pytest.mark.parametrize("status", [501, 405])
def test_a_store_that_does_not_implement_them_is_refused(storage, proxy, folder, status):
    proxy.add(Refuse(status, "NotImplemented"), conditional=True)
    with pytest.raises(BadInput, match="knows no conditional writes"):
        storage.check_conditions(folder)


def test_lost_replies_do_not_make_a_good_store_a_bad_one(storage, proxy, folder):
    proxy.add(LoseReply(), method="PUT", times=1)
    proxy.add(LoseReply(), method="PUT", skip=2, times=1)
    storage.check_conditions(folder)


@pytest.mark.parametrize("size", [0, 1, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES + 1])
def test_objects_of_every_size_are_read_whole(storage, path, size):
    storage.create_new(path, b"x" * size)
    with storage.open(path) as file:
        assert file.size() == size
        assert file.read() == b"x" * size
