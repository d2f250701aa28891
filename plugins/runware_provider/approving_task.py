"""A task that asks a person before it pays, by Airflow's own human in the loop.

It plans, which sends nothing; then it parks in Airflow's state `awaiting_input`, without a worker or a trigger. The answer
resumes it, by way of `answered`. What was approved is the budget of the run, so that nobody pays what nobody approved.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from runware_provider.approval import Approve, NotApproved
from runware_provider.approval_plan import (
    APPROVE,
    REFUSE,
    Foreseen,
    SamplesCost,
    asked_for,
    binds,
    decided,
    is_about_another,
    must_ask,
    not_needed,
    samples_refused,
    within,
    within_samples,
)
from runware_provider.approval_words import (
    DEARER,
    FEW,
    IN_SHARDS,
    TEXTS_ARE_OFF,
    About,
    approved_line,
    question_of,
    samples_line,
    samples_stopped,
    why_no_samples,
    why_short,
)
from runware_provider.configuration import page_texts, webhooks
from runware_provider.engine.errors import BudgetExhausted, EngineError, Interrupted, JobStopped
from runware_provider.engine.job.run_record import Approval
from runware_provider.engine.money import usd
from runware_provider.engine.plain_text import MOST_CHARS, printable, wrapped
from runware_provider.given_objects import rendered_approve
from runware_provider.job_task import JobTask
from runware_provider.kept_approval import KeptApproval
from runware_provider.object_stores import airflow_stores
from runware_provider.pages.run_view import UNMAPPED, URL_PREFIX, TaskAt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from runware_provider.approval_words import Question
    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.spec import Spec


DAG_TEST_USER: Final = "dag_test"
"""By whom Airflow says that a run of `dag.test()` was triggered."""


@dataclass(frozen=True)
class Samples:
    """Answers to be looked at, as far as somebody asked for them before a person is asked."""

    kept: int = 0
    paid_usd: float = 0.0
    """Now; those of an earlier try were paid then."""
    why_none: str = ""
    were_asked_for: bool = False
    """Now, so that less is left to be paid."""


class ApprovingTask(JobTask):
    """A task that asks a person before it pays, if its author wishes so with `approve`."""

    asks_a_person = True
    """Whether this task asks; if not, another one of the same run has."""
    _answer: Approval | None = None
    """What a person said just now."""
    _asked_spec: Spec | None = None
    """The job with the author's own budget, once somebody may have to be asked about it."""
    _approval: Approval | None = None
    """By what the run is bound, where that is less than the user's own budget."""

    def carry_out(self, context: Context) -> Any:
        """As every task; but a run that would cost more than was approved says so.

        Raises:
            TaskAwaitingInput: a person is asked.
            AirflowSkipException: a person refused.
            NotApproved: nobody answered in time, or nobody can tell what was answered.
        """
        try:
            return super().carry_out(context)
        except BudgetExhausted as short:
            if self._approval is not None:
                short.remedy = why_short(self._approval)
                self._note_stop(short)
            raise

    def answered(
        self, context: Context, asked: Mapping[str, Any], event: Mapping[str, Any] | None = None
    ) -> Any:
        """Go on with what a person said; a task that was parked by an earlier version goes on here: the name stays.

        Args:
            context: of the task instance.
            asked: what the person was asked, in numbers.
            event: the answer, as Airflow has it.
        """
        self._answer = decided(Approval(**asked), event)
        return self.execute(context)

    def approved(self, spec: Spec, endpoint: Endpoint, context: Context) -> Spec:
        """The job within what was approved; nothing is paid before that, except for samples where texts may be shown."""
        wish = rendered_approve(self.approve)
        # What somebody was asked counts, also where its author asks nobody any more: it may have been refused.
        if wish is None and self._answer is not None:
            wish = Approve()
        if wish is None:
            return spec
        kept = KeptApproval.of(spec)
        self._asked_spec = spec
        try:
            approval = self._approved(kept, wish, endpoint, context)
        except JobStopped as stopped:
            self._note_stop(stopped)
            raise
        for line in wrapped("Approved", printable(approved_line(approval))):
            self.log.info("%s", line)
        kept.remove_samples()
        self._approval = approval if binds(spec.budget, approval) else None
        return spec.bounded_by(within(spec.budget, approval))

    def _approved(self, kept: KeptApproval, wish: Approve, endpoint: Endpoint, context: Context) -> Approval:
        """What lets the run go on, if anything does."""
        if self._answer is not None:
            return self._heed(self._answer, kept)
        asks, before = kept.asks(), kept.read()
        if before is not None and is_about_another(before, asks):
            raise _another(before)
        if before is not None and _holds(before, goes_on=self.goes_on or not self.asks_a_person):
            return before
        if not self.asks_a_person:
            raise NotApproved(
                f"nobody knows whether this run was approved: {kept.folder} does not say so",
                "Clear the group's task split: it asks again.",
            )
        foreseen = self._foreseen(kept.spec, endpoint)
        samples = 0 if before is None else before.samples
        if not must_ask(foreseen, wish):
            approval = not_needed(foreseen, wish, samples=samples, asks=asks)
            kept.write(approval, "running", rows=foreseen.records * kept.spec.samples)
            return approval
        if _is_dag_test(context):
            raise _nobody_answers()
        raise self._parked(kept, wish, foreseen, asks, samples, endpoint, context)

    def kept_record(self, spec: Spec) -> KeptApproval:
        """Where the record lies that the page of this task shows."""
        return KeptApproval.of(spec)

    def _note_stop(self, stopped: JobStopped) -> None:
        """Let the page say what the log says; where that cannot be written, the log is all there is."""
        if self._asked_spec is None:
            return
        try:
            self.kept_record(self._asked_spec).write_stop(stopped)
        except (EngineError, OSError) as error:
            told = f"what is to be seen of this run is not written ({error})."
            for line in wrapped("Warning", printable(told)):
                self.log.warning("%s", line)

    def _heed(self, answer: Approval, kept: KeptApproval) -> Approval:
        """The answer, if it is yes; it is kept before anything is paid.

        Raises:
            AirflowSkipException: it is no.
            NotApproved: there is none.
        """
        if answer.verdict == "approved" and is_about_another(answer, kept.asks()):
            raise _another(answer)
        if answer.verdict == "approved":
            kept.write(answer, "running")
            return answer
        kept.remove_samples()
        if answer.verdict == "refused":
            told = f"{answer.by} refused it, and nothing more is paid."
            kept.write(answer, "refused", reason=told)
            for line in wrapped("Refused", printable(told)):
                self.log.info("%s", line)
            raise AirflowSkipException(told)
        told = "nobody answered in time whether it may be paid for"
        if answer.verdict == "waiting":
            told = "Airflow brought no clear answer of a person"
        kept.write(answer, "stopped", reason=told)
        raise NotApproved(told, "Clear the task: then a person is asked again. Nothing more is paid before.")

    def _parked(  # noqa: PLR0913, PLR0917 - each a fact of its own
        self,
        kept: KeptApproval,
        wish: Approve,
        foreseen: Foreseen,
        asks: str,
        samples: int,
        endpoint: Endpoint,
        context: Context,
    ) -> TaskAwaitingInput:
        """Ask; returns what parks the task, and gives its worker back.

        Raises:
            BudgetExhausted: the user's own budget would not last, so that there is nothing to approve of.
            NotApproved: Airflow shows what it was asked before, which is something else.
        """
        rows = foreseen.records * kept.spec.samples
        # What comes of the samples says nothing of the run as a whole, which has a record before them.
        kept.write(asked_for(foreseen, wish, samples=samples, asks=asks), "planned", rows=rows)
        if foreseen.short:
            raise BudgetExhausted(f"{foreseen.short}; nothing was sent")
        shown = self._samples(kept, wish, foreseen, samples, endpoint)
        if shown.were_asked_for:
            foreseen = self._foreseen(kept.spec, endpoint)
        approval = asked_for(foreseen, wish, samples=shown.kept, asks=asks)
        about = About(_page(context), wish.wait_s, shown.paid_usd, shown.why_none)
        question = question_of(approval, foreseen, kept.spec, about)
        kept.write(approval, "planned", rows=rows)
        shown_subject = ask_in_airflow(context["ti"].id, question, wish.approvers)
        if shown_subject != question.subject:
            raise _stale(shown_subject, question)
        for line in wrapped("Waits", f"for a person: {question.subject}"):
            self.log.info("%s", line)
        self.log.info("Answer: %s", _where_to_answer(context))
        return TaskAwaitingInput(
            method_name=self.answered.__name__,
            kwargs={"asked": asdict(approval)},
            timeout=timedelta(seconds=wish.wait_s),
        )

    def _samples(
        self, kept: KeptApproval, wish: Approve, foreseen: Foreseen, known: int, endpoint: Endpoint
    ) -> Samples:
        """What there is to be looked at; all that is ever paid before a person has decided."""
        # Retries do not ask, and pay, for samples again.
        if known or not wish.samples:
            return Samples(known)
        why_none = _why_no_samples(kept, wish, foreseen)
        if why_none:
            return Samples(why_none=why_none)
        preview = self._preview(kept.spec, wish, foreseen, endpoint)
        if preview is None:
            return Samples(why_none=DEARER, were_asked_for=True)
        return Samples(kept.keep_samples(preview), preview["paid_usd"], were_asked_for=True)

    def _foreseen(self, spec: Spec, endpoint: Endpoint) -> Foreseen:
        """What the run would do and cost; nothing is sent but the question for the prices.

        Raises:
            BadInput: what a run would refuse before paying.
            Interrupted: somebody asked the task to stop meanwhile.
        """
        planned = self.in_thread(lambda _: _planned(spec, endpoint))
        if self._killed:
            raise Interrupted("it was asked to stop before anything was sent")
        return Foreseen.of(planned, spec.budget)

    def _preview(
        self, spec: Spec, wish: Approve, foreseen: Foreseen, endpoint: Endpoint
    ) -> dict[str, Any] | None:
        """Ask about a few records: their answers are paid, and belong to the run; None where they would cost too much."""
        from runware_provider.engine.job.run import run_job  # noqa: PLC0415 - heavy: httpx and pyarrow

        cost = SamplesCost.of(foreseen, wish.samples * spec.samples)
        if cost is not None:
            self._say("Samples", samples_line(wish.samples, cost))
        # They are never paid from more than this: nobody has approved of anything yet.
        bounded = spec.model_copy(update={"budget": within_samples(spec.budget, foreseen, wish)})
        try:
            shown: dict[str, Any] = self.in_thread(
                lambda stop: run_job(
                    bounded,
                    endpoint,
                    stop=stop,
                    preview=wish.samples,
                    stores=airflow_stores(),
                    webhooks=webhooks(spec),
                )
            )
        except BudgetExhausted as short:
            self._say(
                "Samples", f"there are none to be looked at: {short.reason}. The person is asked without."
            )
            return None
        except JobStopped as stopped:
            stopped.reason = printable(samples_stopped(stopped.reason), MOST_CHARS)
            stopped.args = (stopped.reason,)
            raise
        self._say("Paid", f"{usd(shown['paid_usd'])} for the samples.")
        return shown

    def _say(self, label: str, told: str) -> None:
        for line in wrapped(label, printable(told, MOST_CHARS)):
            self.log.info("%s", line)


def ask_in_airflow(ti_id: Any, question: Question, approvers: Sequence[str]) -> str:
    """Put the question on Airflow's page of required actions; returns the one that is shown there.

    Airflow keeps one question for a task instance: where it was asked before, in an earlier try, it shows what it was asked
    then. `airflow.sdk.execution_time.hitl.upsert_hitl_detail` does the same, and does not say what is shown.
    """
    from airflow.sdk.execution_time.comms import CreateHITLDetailPayload  # noqa: PLC0415 - only who asks needs it
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS  # noqa: PLC0415 - set when a task runs

    asked = {
        "ti_id": ti_id,
        "options": [APPROVE, REFUSE],
        "subject": question.subject,
        "body": question.body,
        "params": {},
        "assigned_users": [{"id": user, "name": user} for user in approvers],
    }
    told = SUPERVISOR_COMMS.send(msg=CreateHITLDetailPayload.model_validate(asked))
    return str(getattr(told, "subject", question.subject))


def _holds(before: Approval, *, goes_on: bool) -> bool:
    """Whether what was decided in this run lets it go on without another look.

    An approval holds for as much money, once and for all; that none was needed holds for the try that found it.
    """
    return before.verdict == "approved" or (before.verdict == "not_needed" and goes_on)


def _why_no_samples(kept: KeptApproval, wish: Approve, foreseen: Foreseen) -> str:
    """Why no answers are asked for beforehand; empty where some are."""
    if not page_texts():
        return TEXTS_ARE_OFF
    questions = wish.samples * kept.spec.samples
    # To ask for them would be to do the job before it is approved.
    if foreseen.to_ask <= questions:
        return FEW
    if kept.is_in_shards():
        return IN_SHARDS
    cost = SamplesCost.of(foreseen, questions)
    refused = samples_refused(cost, foreseen, wish)
    return "" if refused is None else why_no_samples(refused, cost, wish)


async def _planned(spec: Spec, endpoint: Endpoint) -> dict[str, Any]:
    from runware_provider.engine.api.client import Client  # noqa: PLC0415 - heavy: httpx
    from runware_provider.engine.job.plan import plan  # noqa: PLC0415 - heavy: pyarrow

    async with Client(endpoint) as client:
        prices = await client.prices()
    return await asyncio.to_thread(plan, spec, prices, stores=airflow_stores(), service=endpoint.service)


def _stale(shown: str, question: Question) -> NotApproved:
    return NotApproved(
        f"Airflow keeps the first question of a task instance ({printable(shown, 300)}), and shows no other one; by now it is:"
        f" {question.subject}",
        "Start a new run of the DAG, which is asked anew. Nothing more is paid before.",
    )


def _another(asked: Approval) -> NotApproved:
    """Of a run that would ask other questions than those that somebody was asked about."""
    by = f"{asked.by} approved" if asked.verdict == "approved" and asked.by else "a person was asked about"
    return NotApproved(
        f"what it would ask by now is not what {by}: the source, the model, the prompt, the schema or the settings are others",
        "Start a new run of the DAG, which is asked anew. Nothing more is paid before.",
    )


def _is_dag_test(context: Context) -> bool:
    """Whether the run is one of `dag.test()`, which would wait for ever: nobody's scheduler counts its time."""
    return getattr(context.get("dag_run"), "triggering_user_name", None) == DAG_TEST_USER


def _nobody_answers() -> NotApproved:
    return NotApproved(
        "it asks a person, and dag.test() would wait for one without an end; nothing was sent",
        "Leave `approve` out where you test; or take its amount from a param (approve={'above_usd': '{{ params.unasked }}'}),"
        " and give it there: dag.test(run_conf={'unasked': 1}).",
    )


def _airflow() -> str:
    """The address of Airflow's pages; empty where it is not configured."""
    return str(conf.get("api", "base_url", fallback="") or "").rstrip("/")


def _at(context: Context) -> TaskAt:
    instance = context["ti"]
    index = UNMAPPED if instance.map_index is None else instance.map_index
    return TaskAt(instance.dag_id, instance.run_id, instance.task_id, index)


def _page(context: Context) -> str:
    """The URL of the task's page of ours."""
    return f"{_airflow()}{URL_PREFIX}{_at(context).path}" if _airflow() else ""


def _where_to_answer(context: Context) -> str:
    """Airflow's own page of required actions, for the log."""
    if not _airflow():
        return "on Airflow's page of required actions, or by its REST API"
    return f"{_airflow()}{_at(context).answer_path}"
