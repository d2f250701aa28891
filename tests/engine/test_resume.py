"""The command line killed, interrupted and doubled: whatever happens, nothing is paid twice and no row is missing.

Processes wait for the API most of their time, so those of this module run side by side; each test looks at one.
"""

from __future__ import annotations

import json
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.forked import CommandLine

RECORDS = 65
SIDE_BY_SIDE = 6
FROZEN_S = 600.0
"""Longer than a test waits for anything: nobody but the kill ends it."""
LOOKS = 30_000
BETWEEN_LOOKS_S = 0.01
HARD_STOP_S = 300
"""After which a command line that hangs is killed, and its test fails."""
FEW = {"max_outstanding": "30"}


@dataclass(frozen=True)
class Moment:
    """When a process is killed."""

    name: str
    delivery: str
    freeze: Fault | None = None
    """The request at which the process stands still while it is killed."""
    files: tuple[str, int] = ("", 0)
    """Or: so many files of this pattern below the root."""


def frozen(task_type: str, kind: str, nth: int, delivery: str) -> Moment:
    where = "before it is served" if kind == "delay_request" else "after it was served"
    fault = Fault(kind, task_type=task_type, nth=nth, seconds=FROZEN_S)
    return Moment(f"{delivery}: {task_type} {nth}, {where}", delivery, freeze=fault)


def there(pattern: str, count: int, delivery: str) -> Moment:
    return Moment(f"{delivery}: {count} of {pattern}", delivery, files=(pattern, count))


def moments() -> list[Moment]:
    dice = random.Random(1)  # noqa: S311 - a test that repeats itself
    later = dice.randint(2, 3)
    return [
        frozen("textInference", "delay_request", 1, "poll"),
        frozen("textInference", "delay_reply", 1, "poll"),
        frozen("textInference", "delay_reply", later, "poll"),
        frozen("textInference", "delay_reply", 1, "sync"),
        frozen("textInference", "delay_reply", dice.randint(4, 8), "sync"),
        frozen("getResponse", "delay_request", 1, "poll"),
        frozen("getResponse", "delay_reply", later, "poll"),
        there("out.state/job.json", 1, "poll"),
        there("out.state/ledger/*.segment", dice.randint(2, 4), "poll"),
        there("out.state/ledger/*.segment", 1, "sync"),
        there("out.state/staged/*/*.staged", 1, "sync"),
        there("out/part-*", 1, "poll"),
    ]


def until(reached: Callable[[], bool], process: CommandLine) -> None:
    """Return when it is so, or when the process has ended by itself; bounded."""
    pause = threading.Event()
    for _ in range(LOOKS):
        if reached() or process.poll() is not None:
            return
        pause.wait(BETWEEN_LOOKS_S)
    raise AssertionError("it never came to that")


def reached(moment: Moment, place: Any) -> bool:
    if moment.freeze is not None:
        return bool(place.server.faults()[0]["fired"])
    pattern, count = moment.files
    return len(list(place.root.glob(pattern))) >= count


@dataclass
class Ran:
    """What the processes of a scenario left."""

    place: Any
    codes: list[int]
    manifest: dict[str, Any]
    told: str = ""


def killed(moment: Moment, place: Any) -> Ran:
    place.fill(RECORDS)
    if moment.freeze is not None:
        place.server.script(moment.freeze)
    command = place.arguments("run", delivery=moment.delivery, **FEW)
    with place.start(*command) as process:
        until(lambda: reached(moment, place), process)
        process.kill()
        process.communicate()
    place.server.clear_faults()
    again = place.call(*command)
    return Ran(place, [process.returncode, again.returncode], json.loads(again.stdout), again.stderr)


def twins(delivery: str, place: Any) -> Ran:
    place.fill(RECORDS)
    command = place.arguments("run", delivery=delivery, **FEW)
    with place.start(*command) as one, place.start(*command) as other:
        told = one.communicate(timeout=HARD_STOP_S)[1] + other.communicate(timeout=HARD_STOP_S)[1]
    manifest = json.loads((place.state / "manifest.json").read_text(encoding="utf-8"))
    return Ran(place, [one.returncode, other.returncode], manifest, told)


def interrupted(number: signal.Signals, place: Any) -> Ran:
    place.fill(RECORDS)
    command = place.arguments("run", delivery="poll", max_outstanding="10")
    with place.start(*command) as process:
        until(lambda: place.executed() > 10, process)
        process.send_signal(number)
        out, told = process.communicate(timeout=HARD_STOP_S)
    stopped = json.loads(out)
    assert stopped["status"] == "stopped"
    assert stopped["records"] == RECORDS
    assert {"reason", "remedy", "still_at_vendor", "records_done"} <= stopped.keys()
    again = place.call(*place.arguments("run"))
    return Ran(place, [process.returncode, again.returncode], json.loads(again.stdout), told)


MOMENTS = moments()
PAIRS = ["poll", "sync"]
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(scope="module")
def ran(request: pytest.FixtureRequest, new_shared_place: Callable[..., Any]) -> dict[Any, Any]:
    """The scenarios of the selected tests, by their parameter."""
    items = [item for item in request.session.items if item.module is request.module]
    wanted = [item.callspec.params["case"] for item in items if hasattr(item, "callspec")]
    slow = {"latency": 0.3, "capacity": 10}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        running: dict[Any, Any] = {}
        for number, case in enumerate(wanted):
            name = f"job-{number}"
            if isinstance(case, Moment) and case in MOMENTS:
                running[case] = pool.submit(killed, case, new_shared_place(name, latency=0.02))
            elif case in PAIRS:
                running[case] = pool.submit(twins, case, new_shared_place(name, latency=0.05))
            elif case in SIGNALS:
                running[case] = pool.submit(interrupted, case, new_shared_place(name, **slow))
    return running


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in MOMENTS])
def test_a_killed_process_is_gone_on_with_and_nothing_is_paid_twice(
    case: Moment, ran: dict[Any, Any]
) -> None:
    result = ran[case].result()
    assert result.codes[0] in {-signal.SIGKILL, 0}
    assert case.freeze is None or result.codes[0] == -signal.SIGKILL
    assert result.codes[1] == 0, result.told
    result.place.audit(result.manifest, RECORDS)
    assert result.manifest["outcomes"] == {"succeeded": RECORDS}
    assert result.place.executed() == RECORDS


@pytest.mark.parametrize("case", PAIRS)
def test_twins_make_one_dataset_and_pay_once(case: str, ran: dict[Any, Any]) -> None:
    result = ran[case].result()
    assert set(result.codes) <= {0, 3}, result.told
    assert 0 in result.codes, result.told
    result.place.audit(result.manifest, RECORDS)
    assert result.place.executed() == RECORDS
    assert not list((result.place.state / "staged").rglob("*.staged"))
    held = {path.name for path in result.place.destination.iterdir()}
    assert held == {file["path"] for file in result.manifest["files"]} | {"_SUCCESS"}


@pytest.mark.parametrize("case", SIGNALS)
def test_a_signal_stops_the_run_which_can_be_gone_on_with(case: signal.Signals, ran: dict[Any, Any]) -> None:
    result = ran[case].result()
    assert result.codes == [3, 0], result.told
    assert "Stopped: it was asked to stop" in result.told
    assert "Traceback" not in result.told
    result.place.audit(result.manifest, RECORDS)
    assert result.place.executed() == RECORDS
