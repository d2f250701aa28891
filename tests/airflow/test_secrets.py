"""What failing runs leave behind holds no key and no prompt, whatever the API says and whoever looks.

Every text that somebody wrote is one made-up word again and again, so that any piece of it is recognised. A run
leaves something in the places of `ALLOWED`; each place may hold the words that stand beside it, and no others.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import html
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import airflow
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, Asset
from airflow.serialization.serialized_objects import DagSerialization

import runware_provider
from runware_provider.decorators import text_inference_task
from runware_provider.engine.api.replies import read_reply
from runware_provider.engine.cli import main
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import BadInput, JobStopped, PublishConflict
from runware_provider.engine.job.run import run_job
from runware_provider.engine.spec import Budget, Message, Settings, Spec, Tool
from runware_provider.engine.storage.s3 import S3Storage
from runware_provider.engine.storage.stores import Stores
from runware_provider.groups import text_inference_group
from runware_provider.hook import RunwareHook
from runware_provider.object_stores import StoreOptions, options_of
from runware_provider.operators import TextInferenceOperator
from runware_provider.testing import Fault, LocalServer, ServerSettings
from runware_provider.unstored import Unstored
from tests.s3.proxy import FaultProxy, IgnoreConditions, Refuse
from tests.s3.server import REGION, shared_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.s3.proxy import Fault as S3Fault

KEY = "zqkeyzqkey-0f3b9a7c51d2e884-zqkeyzqkey"
LAKE_KEY, LAKE_SECRET, LAKE_TOKEN = (f"zqlake{what}-3d1c9a0e77b2" for what in ("id", "secret", "token"))
WORDS = ("zqkey", "zqlake", "zqprompt", "zqsystem", "zqtool", "zqrecord", "zqparam", "zqanswer")
CREDENTIALS = frozenset({"zqkey", "zqlake"})
DATA = frozenset(WORDS) - CREDENTIALS
"""What the user owns: it may stand where the user's data stands."""
AUTHORED = DATA - {"zqrecord", "zqanswer"}
"""What the author of the DAG wrote, and the DAG's params; a prompt that is rendered holds words of a record besides."""

ALLOWED = {
    "state folder": DATA,
    "state folder, what was asked": AUTHORED,
    "state folder, records of runs": frozenset(),
    "dataset": DATA,
    "exception": frozenset(),
    "locals of a job that stopped": frozenset(),
    "locals of another error": DATA,  # whoever reads a wish holds it; Airflow itself shows no locals
    "log": frozenset(),
    "task log, standard output and error": frozenset(),
    "XCom, rendered fields, state and events": frozenset(),
    "repr": frozenset(),
    "serialized DAG": frozenset({"zqparam"}),  # a DAG's params are Airflow's, and shown in its pages
}

PRINTED = frozenset(
    [
        "ApiError",
        "Client",
        "Endpoint",
        "Inference",
        "OpenedJob",
        "Judge",
        "Ledger",
        "Limits",
        "LookedAt",
        "Prepared",
        "Prompt",
        "Redactor",
        "Reply",
        "RequestTemplate",
        "RunwareHook",
        "Settings",
        "BatchFeed",
        "Spec",
        "Submitter",
        "Tool",
    ]
)
"""Classes of which a running job holds an object, at least."""
RECORDS = 7
PLUGINS = Path(runware_provider.__file__).parents[1]
AIRFLOW = str(Path(airflow.__file__).parent)


def text(word: str) -> str:
    return " ".join([word] * 8)


PROMPT = text("zqprompt")
SYSTEM = text("zqsystem")
TOOL = text("zqtool")
RECORD = f"Invoice {text('zqrecord')} Ltd"
SCHEMA = {
    "type": "object",
    "description": TOOL,
    "properties": {"vendor": {"type": "string", "description": TOOL}, "total": {"type": "number"}},
    "required": ["vendor", "total"],
}
ANSWER = text("zqanswer")
MISREAD = json.dumps({"vendor": [ANSWER], "total": ANSWER})
"""It does not fit, and what is wrong with it names its values."""
A_TOOL = {"name": "note", "description": TOOL, "schema": SCHEMA}
EVERYTHING = f"{PROMPT}\n{ANSWER}\n{RECORD}\n{SYSTEM}\n{TOOL}\n{text('zqparam')}\nAuthorization: Bearer {KEY}"
QUOTED_BY_A_STORE = f"{EVERYTHING} {LAKE_KEY} {LAKE_SECRET} {LAKE_TOKEN}"
PAGE = f"<html><body><h1>Bad gateway</h1><pre>POST /v1\n{html.escape(EVERYTHING)}</pre></body></html>"


def leaks(left: dict[str, str]) -> list[tuple[str, str, str]]:
    """The words that stand where they may not, with what stands before and behind them."""
    return [
        (place, word, _around(held, held.casefold().index(word)))
        for place, held in left.items()
        for word in WORDS
        if word in held.casefold() and word not in ALLOWED[place]
    ]


def _around(held: str, place: int) -> str:
    return held[max(0, place - 200) : place + 50]


@dataclass(frozen=True)
class Case:
    """A way to fail."""

    name: str
    faults: tuple[Fault, ...] = ()
    error: str | None = None
    """The kind of exception that it ends with; nothing where rows fail and the job does not."""
    changes: dict[str, Any] = field(default_factory=dict)
    connection: dict[str, Any] = field(default_factory=dict)
    by_cli: bool = True
    """Not where the command line would wait longer than a test may."""


def refused(code: str, message: str, status: int | None = None) -> tuple[Fault, ...]:
    return (Fault("refuse_task", code=code, message=message, status=status),)


def everywhere(kind: str, **how: Any) -> tuple[Fault, ...]:
    return tuple(Fault(kind, task_type=name, **how) for name in ("textInference", "getResponse"))


CASES = [
    Case("a wrong key", error="KeyRefused", connection={"password": KEY + "x"}),
    Case(
        "a refusal that quotes the key",
        everywhere("refuse_request", status=401, code="invalidApiKey", message=f"Bad key {KEY}: {EVERYTHING}"),
        "KeyRefused",
    ),
    Case(
        "a refusal that quotes the ends of the key",
        everywhere("refuse_request", status=401, code="invalidApiKey", message=f"{KEY[:11]}...{KEY[-9:]} is bad"),
        "KeyRefused",
    ),
    Case(
        "an empty account, told with the prompt",
        refused("insufficientCredits", f"No credit for '{PROMPT}'", 402),
        "BalanceExhausted",
    ),
    Case("an unknown model, told with the system prompt", refused("modelNotFound", SYSTEM), "ModelUnknown"),
    Case("a code that quotes", refused(f"quota of {RECORD}", RECORD, 402), "BalanceExhausted"),
    *(
        Case(f"a bad {name}, quoted", refused("invalidMessages", f"Bad value: {quoted}!"), "RequestRefused")
        for name, quoted in {
            "prompt": PROMPT,
            "record": json.dumps(RECORD),
            "system prompt": SYSTEM.upper(),
            "tool": f"'{TOOL}'",
            "everything": EVERYTHING,
        }.items()
    ),
    Case(
        "a provider that quotes the prompt later",
        (Fault("fail_task", code="providerBadRequest", message=EVERYTHING),),
        "RequestRefused",
    ),
    Case(
        "a provider's error that quotes the prompt",
        (Fault("fail_task", code="providerError", message=EVERYTHING, shape="item"),),
        by_cli=False,
    ),
    Case(
        "an unknown error whose code quotes the prompt",
        (Fault("fail_task", code=f"bad words: {EVERYTHING}", message=EVERYTHING),),
        by_cli=False,
    ),
    Case("a server that is not there", error="Unreachable", connection={"host": "http://127.0.0.1:9/v1"}, by_cli=False),
    *(
        Case(f"a page that echoes the request ({status})", everywhere("refuse_request", status=status, body=PAGE), error, by_cli=False)
        for status, error in ((502, "Unreachable"), (401, "KeyRefused"), (404, "Unreachable"))
    ),
    Case("garbage that echoes the request", everywhere("garbage_body", body=PAGE), "Unreachable", by_cli=False),
    Case("a template with a misspelt column", error="BadInput", changes={"prompt": PROMPT + "{{ record.bdy }}"}),
    Case("a template with bad syntax", error="BadInput", changes={"prompt": PROMPT + "{% if record.body %}"}),
    Case("a template that fails", error="BadInput", changes={"prompt": PROMPT + "{{ record.body + 1 }}"}),
    Case("a template that reads a field", error="BadInput", changes={"prompt": PROMPT + "{{ record[record.body] }}"}),
    Case("a schema that cannot be stored", error="BadInput", changes={"output_type": {**SCHEMA, "nullable": True}}),
    Case("a schema that refers to nothing", error="BadInput", changes={"output_type": {"$ref": "#/none", "title": TOOL}}),
    Case("answers that do not fit", (Fault("break_schema"),), changes={"failures": {"most": None}}, by_cli=False),
    Case("too many answers that do not fit", (Fault("break_schema"),), "TooManyFailed"),
    Case("too many answers that are cut off", (Fault("truncate"),), "TooManyFailed"),
    Case(
        "too many failures that quote the prompt",
        (Fault("fail_task", code="providerError", message=EVERYTHING, shape="item", after=1),),
        "TooManyFailed",
        by_cli=False,
    ),
    Case(
        "a budget that is too small for the estimate",
        error="BudgetExhausted",
        changes={"budget": Budget(tokens=10)},
        by_cli=False,
    ),
    Case(
        "a budget that is used up half-way",
        error="BudgetExhausted",
        changes={"budget": Budget(usd=1e-9, usd_per_million=(1e-9, 1e-9))},
        by_cli=False,
    ),
    Case(
        "a budget that ends in a part of the rows",
        changes={"budget": Budget(tokens=600, when_short="partial"), "limits": {"poll_interval_s": 0.02}},
        by_cli=False,
    ),
    Case("answers that are shown to the model and do not fit again", (Fault("say", body=MISREAD),), "TooManyFailed"),
    *(
        Case(
            f"an output retry that {what}, told with the answer",
            (
                Fault("say", body=MISREAD, without="assistant"),
                Fault(kind, contains="assistant", code=code, message=f"No, no: {quoted}!", status=status),
            ),
            error,
            by_cli=False,
        )
        for what, kind, code, status, error in (
            ("nobody pays", "refuse_task", "insufficientCredits", 402, "BalanceExhausted"),
            ("is refused", "refuse_task", "invalidMessages", None, "TooManyFailed"),
            ("fails", "fail_task", "providerError", None, "TooManyFailed"),
            ("meets no model", "refuse_task", "modelNotFound", None, "ModelUnknown"),
            ("fails with a code that quotes", "fail_task", f"bad: {ANSWER}", None, "TooManyFailed"),
        )
        for quoted in (MISREAD, ANSWER)
    ),
    Case("answers in prose", (Fault("prose"),), changes={"output_type": None}),
    Case("tools that are refused", refused("invalidTools", f"Bad tool: {TOOL}"), "RequestRefused", {
        "output_type": None,
        "tools": [A_TOOL],
    }),
]  # fmt: skip


@dataclass
class Bench:
    """A source, a destination, a server, and two ways to run a job between them."""

    root: Path
    server: LocalServer
    api: Any
    sent: list[str]
    """What the task runner sent to Airflow's API server."""
    run_task: Callable[..., Any]
    capfd: pytest.CaptureFixture[str]
    caplog: pytest.LogCaptureFixture
    environment: pytest.MonkeyPatch

    def arguments(self, **changes: Any) -> dict[str, Any]:
        usual = {
            "task_id": "ask",
            "source": str(self.root / "in"),
            "destination": str(self.root / "out"),
            "prompt": PROMPT + "\n{{ params.style }}\n{{ record.body }}",
            "system_prompt": SYSTEM,
            "output_type": SCHEMA,
            "limits": {"unreachable_s": 0.2, "attempts": 1, "poll_interval_s": 0.02},
            "outlets": [Asset("file:///out")],
        }
        return usual | changes

    def a_dag(self, operator: type[TextInferenceOperator] = TextInferenceOperator, **changes: Any) -> DAG:
        with DAG("dag", schedule=None, params={"style": text("zqparam")}) as dag:
            operator(**self.arguments(**changes))
        return dag

    def by_airflow(
        self, operator: type[TextInferenceOperator] = TextInferenceOperator, **changes: Any
    ) -> Any:
        """Run the operator as a worker does; returns its error and what it left."""
        try:
            dag = self.a_dag(operator, **changes)
        except BadInput as error:  # it fails the DAG's import, which Airflow shows
            return error, self.left(error)
        error = self.run_task(dag, "ask").error
        return error, self.left(error)

    def by_cli(self, **changes: Any) -> tuple[int, dict[str, str]]:
        """Run the command line in this process; returns its exit status and what it left."""
        code = main(self._options(**changes))
        return code, self.left(None)

    def options(self, **changes: Any) -> list[str]:
        return self._options(**changes)

    def _options(self, **changes: Any) -> list[str]:
        given = {**self.arguments(prompt=PROMPT + "\n{{ record.body }}"), **changes}
        options = {"source": given["source"], "destination": given["destination"], "prompt": given["prompt"]}
        options |= {"system-prompt": SYSTEM, "delivery": changes.get("delivery", "sync")}
        for name, option in (("output_type", "schema"), ("tools", "tools")):
            if given.get(name) is not None:
                path = self.root / f"{option}.json"
                path.write_text(json.dumps(given[name]), encoding="utf-8")
                options[option] = str(path)
        return ["run", *(word for name, value in options.items() for word in (f"--{name}", value))]

    def left(self, error: BaseException | None) -> dict[str, str]:
        chain = list(_chain(error))
        left = {
            "exception": "\n".join(f"{one!r} {one} {vars(one)}" for one in chain),
            f"locals of {'a job that stopped' if isinstance(error, JobStopped) else 'another error'}": "\n".join(
                _locals(one) for one in chain
            ),
            "log": self.caplog.text + "".join(f"{one.__dict__}" for one in self.caplog.records),
            "task log, standard output and error": "".join(self.capfd.readouterr()),
            "XCom, rendered fields, state and events": "\n".join(self.sent),
            **_held_in_state(_files_in(self.root / "out.state")),
            "dataset": _told(_files_in(self.root / "out")),
        }
        assert left.keys() < ALLOWED.keys()
        return left


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and all that it stands on, also what `from None` hides from a plain traceback."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]


def _locals(error: BaseException) -> str:
    """The local variables of its frames, as Sentry or Rich would show them; Airflow's own hold the whole context."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    return "\n".join(
        f"{frame.name} {name}={value}"
        for frame in frames
        if not frame.filename.startswith(AIRFLOW) and frame.filename != __file__
        for name, value in (frame.locals or {}).items()
        if name != "context"
    )


def _files_in(folder: Path) -> dict[str, str]:
    """Contents of all files by name; Parquet is compressed, so it is read."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): _content(path) for path in files}


def _held_in_state(files: dict[str, str]) -> dict[str, str]:
    """What files of a state folder hold, by what docs/security.md says of them."""
    asked = {name: content for name, content in files.items() if "requests/" in name}
    records = {
        name: content
        for name, content in files.items()
        if name.endswith(".json") and ("runs/" in name or "history" in name)
    }
    others = {name: content for name, content in files.items() if name not in asked.keys() | records.keys()}
    return {
        "state folder": _told(others),
        "state folder, what was asked": _told(asked),
        "state folder, records of runs": _told(records),
    }


def _told(files: dict[str, str]) -> str:
    return "\n".join(f"{name} {content}" for name, content in files.items())


def _content(path: Path) -> str:
    content = path.read_bytes()
    if content[:4] != b"PAR1":
        return content.decode(errors="replace")
    table = pq.ParquetFile(path).read()
    return f"{table.schema.metadata} {table.to_pylist()}"


@pytest.fixture(scope="module")
def api_server() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, latency_sigma=0)) as server:
        yield server


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(shared_server().endpoint_url) as running:
        yield running


@pytest.fixture
def bench(  # noqa: PLR0917 - fixtures are arguments
    api: Any,
    run_task: Callable[..., Any],
    api_server: LocalServer,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    for name in (None, "httpx", "aiohttp", "asyncio", "runware_provider", "airflow.task.operators"):
        caplog.set_level(logging.DEBUG, name)
    api_server.clear_faults()
    api_server.reset()
    (tmp_path / "in").mkdir()
    bodies = [f"{RECORD} {n}\nTotal: {n}.50 EUR" for n in range(RECORDS)]
    pq.write_table(pa.table({"body": bodies}), tmp_path / "in" / "a.parquet")
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    sent: list[str] = []
    answer = api.answer

    def recorded(request: Any) -> Any:
        sent.append(f"{request.method} {request.url} {request.content.decode()}")
        return answer(request)

    api.answer = recorded
    api.connections["runware_default"] = {"host": api_server.base_url, "password": KEY}
    return Bench(tmp_path, api_server, api, sent, run_task, capfd, caplog, monkeypatch)


async def executed(server: LocalServer, job: asyncio.Task[Any]) -> None:
    """Return when the server has begun to work, or the job has ended."""
    while not job.done() and not await asyncio.to_thread(lambda: server.bill_summary()["executed"]):
        pass


def _spoil(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("no folder", encoding="utf-8")


def by_name(case: Case) -> str:
    return case.name


# what runs leave


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_a_failing_task_leaves_no_secret(bench: Bench, case: Case) -> None:
    bench.server.script(*case.faults)
    bench.api.connections["runware_default"].update(case.connection)
    error, left = bench.by_airflow(**case.changes)
    assert leaks(left) == []
    if case.error is not None:
        assert type(error).__name__ == case.error, error


@pytest.mark.parametrize("case", [case for case in CASES if case.by_cli], ids=by_name)
def test_a_failing_command_line_leaves_no_secret(bench: Bench, case: Case) -> None:
    bench.server.script(*case.faults)
    bench.environment.setenv("RUNWARE_API_KEY", case.connection.get("password", KEY))
    bench.environment.setenv("RUNWARE_BASE_URL", bench.server.base_url)
    code, left = bench.by_cli(**case.changes)
    assert leaks(left) == []
    assert (code == 0) == (case.error is None)


def test_a_state_folder_that_fails_leaves_no_secret(bench: Bench) -> None:
    class Spoilt(TextInferenceOperator):
        def start_job(self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event) -> Any:
            return self._spoil(super().start_job(spec, endpoint, stop), Path(spec.state_folder) / "ledger")

        async def _spoil(self, job: Any, ledger: Path) -> Any:
            running = asyncio.create_task(job)
            await executed(bench.server, running)
            _spoil(ledger)
            return await running

    bench.server.script(Fault("delay_task", seconds=0.3))
    error, left = bench.by_airflow(Spoilt)
    assert isinstance(error, OSError)
    assert leaks(left) == []


class Impatient(TextInferenceOperator):
    """Gives up a store that fails after half a second of tries, not after a minute."""

    def start_job(self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event) -> Any:
        stores = Stores(lambda place: StoreOptions(options_of(place), give_up_s="0.5"))
        return run_job(spec, endpoint, stop=stop, stores=stores)


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        (Refuse(403, "SignatureDoesNotMatch", QUOTED_BY_A_STORE), {}),
        (Refuse(403, "AccessDenied", QUOTED_BY_A_STORE), {"method": "PUT", "key": r"\.segment$"}),
        (Refuse(507, "OutOfSpace"), {"method": "PUT", "key": r"\.segment$", "skip": 1}),
        (Refuse(400, "EntityTooLarge"), {"method": "PUT", "key": r"part-"}),
        (IgnoreConditions(), {}),
        (Refuse(503, "SlowDown", QUOTED_BY_A_STORE), {"method": "PUT", "key": r"\.segment$", "times": 2}),
    ],
    ids=[
        "wrong credentials",
        "no right to write",
        "no room left",
        "a part is refused",
        "no conditions",
        "throttling",
    ],
)
def test_a_bucket_that_fails_leaves_no_secret(
    bench: Bench, proxy: FaultProxy, fault: S3Fault, how: dict[str, Any]
) -> None:
    bucket = shared_server().new_bucket()
    extra = {"endpoint_url": proxy.endpoint_url, "region_name": REGION, "aws_session_token": LAKE_TOKEN}
    bench.api.connections["lake"] = {
        "conn_type": "aws",
        "login": LAKE_KEY,
        "password": LAKE_SECRET,
        "extra": json.dumps(extra),
    }
    rule = proxy.add(fault, **how)
    patience = TextInferenceOperator if "times" in how else Impatient
    error, left = bench.by_airflow(patience, destination=f"s3://lake@{bucket}/out")
    assert rule.met
    assert isinstance(error, NoneType if "times" in how else BadInput | OSError), error
    proxy.clear()
    assert leaks(left | _held_in_state(_files_in_bucket(bucket))) == []


def _files_in_bucket(bucket: str) -> dict[str, str]:
    storage = S3Storage(bucket, shared_server().options())
    return {
        entry.path: storage.read(entry.path).decode(errors="replace")
        for entry in storage.list(f"s3://{bucket}")
    }


def test_a_failing_decorated_task_leaves_no_secret(bench: Bench) -> None:
    given = bench.arguments()
    del given["prompt"]
    with DAG("dag", schedule=None, params={"style": text("zqparam")}) as dag:

        @text_inference_task(**given)
        def ask() -> str:
            return PROMPT + "\n{{ record.body }}"

        ask()
    bench.server.script(*refused("invalidMessages", f"Bad value: {EVERYTHING}!"))
    ran = bench.run_task(dag, "ask")
    assert type(ran.error).__name__ == "RequestRefused"
    assert leaks(bench.left(ran.error)) == []


@pytest.mark.parametrize("task", ["split", "infer", "publish"])
def test_a_failing_task_of_a_group_leaves_no_secret(bench: Bench, task: str) -> None:
    given = bench.arguments()
    del given["task_id"]
    with DAG("dag", schedule=None, params={"style": text("zqparam")}) as dag:
        text_inference_group(group_id="read", shards=2, least_rows=1, **given)
    if task != "split":
        assert bench.run_task(dag, "read.split").state == "success"
    if task == "infer":
        bench.server.script(*refused("invalidMessages", f"Bad value: {EVERYTHING}!"))
    else:
        (bench.root / "in" / "a.parquet").unlink()
    ran = bench.run_task(dag, f"read.{task}", map_index=0 if task == "infer" else -1)
    assert type(ran.error).__name__ == ("RequestRefused" if task == "infer" else "BadInput")
    assert leaks(bench.left(ran.error)) == []


def test_a_lost_race_to_publish_leaves_no_secret(bench: Bench) -> None:
    class Loser(TextInferenceOperator):
        def start_job(self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event) -> Any:
            return self._lose(super().start_job(spec, endpoint, stop), spec)

        async def _lose(self, job: Any, spec: Spec) -> Any:
            await job
            raise PublishConflict(f"another run published {spec.destination} since this one began")

    error, left = bench.by_airflow(Loser)
    assert isinstance(error, PublishConflict)
    assert leaks(left) == []


def test_an_interrupted_task_leaves_no_secret_and_nothing_it_held_prints_one(bench: Bench) -> None:
    shown: dict[str, str] = {}

    class LookedAt(TextInferenceOperator):
        def start_job(self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event) -> Any:
            return self._look(super().start_job(spec, endpoint, stop), stop)

        async def _look(self, job: Any, stop: asyncio.Event) -> Any:
            running = asyncio.create_task(job)
            await executed(bench.server, running)
            told = read_reply(400, json.dumps({"errors": [{"code": "x", "message": EVERYTHING}]}).encode())
            held = (told, RunwareHook(), Settings(extra={"note": SYSTEM}), Tool(**A_TOOL))
            shown.update(_printed())
            assert held
            stop.set()
            return await running

    bench.server.script(Fault("delay_task", seconds=600))
    error, left = bench.by_airflow(LookedAt)
    assert type(error).__name__ == "Interrupted"
    assert shown.keys() >= PRINTED
    assert leaks(left | {"repr": "\n".join(shown.values())}) == []


def _printed() -> dict[str, str]:
    """How every object of ours that is in memory prints itself, by the name of its class."""
    printed: dict[str, str] = {}
    gc.unfreeze()  # a job that asks hides what was there before it from the collector
    for one in gc.get_objects():
        module = str(type(one).__module__)
        ours = module.startswith("runware_provider.") and not module.startswith("runware_provider.testing")
        if ours or issubclass(
            type(one), TextInferenceOperator
        ):  # isinstance would wake what Airflow imports lazily
            with contextlib.suppress(AttributeError):  # half made: the rest of a test before
                printed[type(one).__name__] = f"{printed.get(type(one).__name__, '')}{one!r} {one}\n"
    return printed


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_a_killed_process_leaves_no_secret(bench: Bench, number: signal.Signals) -> None:
    bench.server.script(Fault("delay_task", seconds=600))
    code = "import logging, sys; logging.basicConfig(level=0); from runware_provider.engine.cli import main; sys.exit(main())"
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", code, *bench.options(delivery="poll")],
        env={
            **inherited,
            "PYTHONPATH": str(PLUGINS),
            "RUNWARE_BASE_URL": bench.server.base_url,
            "RUNWARE_API_KEY": KEY,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        pause = threading.Event()
        while not bench.server.bill_summary()["executed"] and process.poll() is None:
            pause.wait(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    assert process.returncode == (3 if number is signal.SIGTERM else -number), err
    assert "DEBUG:asyncio" in err
    state = _held_in_state(_files_in(bench.root / "out.state"))
    left = {"task log, standard output and error": out + err, **state}
    assert leaks(left) == []
    # Nothing was answered yet: only what was asked is told, once for all records.
    assert [word for word in WORDS if word in state["state folder"]] == []
    assert "zqprompt" in state["state folder, what was asked"]


# what is kept


def test_the_rows_hold_what_the_api_said_except_for_the_key(bench: Bench) -> None:
    bench.server.script(Fault("fail_task", code="providerError", message=EVERYTHING))
    _, left = bench.by_airflow()
    assert all(word in left["state folder"] for word in DATA)
    assert "Authorization: Bearer ***" in left["state folder"]
    assert all(word in left["state folder, what was asked"] for word in AUTHORED)
    assert '"failed": 7' in left["state folder, records of runs"]


# what Airflow stores of a DAG


def test_a_dag_is_stored_without_its_prompts(bench: Bench) -> None:
    stored = json.dumps(DagSerialization.to_dict(bench.a_dag(settings=Settings(extra={"note": SYSTEM}))))
    assert leaks({"serialized DAG": stored}) == []


def test_a_dag_with_a_mapped_task_is_stored_without_its_prompts(bench: Bench) -> None:
    given = bench.arguments(output_type=None, tools=[Tool(**A_TOOL)])
    fixed = {name: given.pop(name) for name in ("task_id", "prompt", "system_prompt", "tools", "limits")}
    with DAG("dag", schedule=None, params={"style": text("zqparam")}) as dag:
        TextInferenceOperator.partial(**fixed).expand(source=[given["source"]], destination=["a"])
    assert leaks({"serialized DAG": json.dumps(DagSerialization.to_dict(dag))}) == []


CONVERSATION = [
    {"role": "user", "content": PROMPT},
    {"role": "assistant", "content": SYSTEM},
    {"role": "user", "content": "{{ record.body }}"},
]


@pytest.mark.parametrize("way", ["a task", "a mapped task", "a group"])
def test_a_dag_is_stored_without_its_messages(bench: Bench, way: str) -> None:
    given = bench.arguments(prompt=None, messages=CONVERSATION)
    if way == "a group":
        del given["task_id"]
    with DAG("dag", schedule=None, params={"style": text("zqparam")}) as dag:
        if way == "a task":
            TextInferenceOperator(**given)
        elif way == "a group":
            text_inference_group(group_id="read", **given)
        else:
            messages = [given.pop("messages"), [Message(**part) for part in CONVERSATION]]
            TextInferenceOperator.partial(**given).expand(messages=messages)
    assert leaks({"serialized DAG": json.dumps(DagSerialization.to_dict(dag))}) == []


def test_another_message_is_another_version_of_a_mapped_task() -> None:
    told = [repr(Unstored([Message(role="user", content=content)])) for content in ("a", "b", "a")]
    assert told[0] == told[2] != told[1]


def test_a_dag_with_a_group_is_stored_without_its_prompts(bench: Bench) -> None:
    given = bench.arguments(
        output_type=None, tools=[Tool(**A_TOOL)], settings=Settings(extra={"note": SYSTEM})
    )
    del given["task_id"]
    with DAG("dag", schedule=None, params={"style": text("zqparam")}) as dag:
        text_inference_group(group_id="read", **given)
    assert leaks({"serialized DAG": json.dumps(DagSerialization.to_dict(dag))}) == []


# messages


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": PROMPT},
        {"prompt": [PROMPT]},
        {"prompt": None, "messages": PROMPT},
        {"prompt": None, "messages": [{"role": "system", "content": PROMPT}]},
        {"prompt": None, "messages": [{"role": "user", "content": PROMPT + "{{ record"}]},
        {"system_prompt": [SYSTEM]},
        {"output_type": TOOL},
        {"output_type": [TOOL]},
        {"tools": [{"name": "a", "description": TOOL}]},
        {"tools": [{"name": "a", "description": [TOOL], "schema": {}}]},
        {"tools": [{"name": "a", "schema": {"x": {TOOL}}}]},
        {"settings": {"extra": {"note": {SYSTEM}}}},
        {"settings": {"stop_sequences": [SYSTEM]}},
        {"publish": {"columns": PROMPT}},
    ],
    ids=str,
)
def test_a_bad_argument_is_named_without_the_text_in_it(bench: Bench, changes: dict[str, Any]) -> None:
    error, left = bench.by_airflow(**changes)
    assert isinstance(error, BadInput)
    assert leaks(left) == []


def test_a_system_prompt_that_is_taken_for_a_file_is_not_quoted(bench: Bench) -> None:
    error, left = bench.by_airflow(system_prompt=f"{SYSTEM} notes.txt")
    assert isinstance(error, BadInput)
    assert leaks(left) == []


def test_the_test_of_a_connection_does_not_tell_the_key(bench: Bench) -> None:
    class Hook(RunwareHook):
        def get_endpoint(self) -> Endpoint:
            return Endpoint(bench.server.base_url, KEY)

    for message in (EVERYTHING, f"{KEY[:12]}... is no key"):
        bench.server.clear_faults()
        bench.server.script(Fault("refuse_request", status=401, code="invalidApiKey", message=message))
        verdict, said = Hook().test_connection()
        assert not verdict
        assert "zqkey" not in said


def test_a_leak_would_be_found() -> None:
    for place, allowed in ALLOWED.items():
        found = {word for _, word, _ in leaks({place: f"said: {QUOTED_BY_A_STORE.upper()}"})}
        assert found == set(WORDS) - allowed
