"""Brings questions to the exchange, batch by batch, and stages each batch when its last word is in.

Memory is bounded: batches that only wait for stragglers are let go to make room, and read and rendered a second time
in the end, when the ledger has their answers. So are batches that ask nothing, as far as the ledger's index tells, where
others ask something: those come first, and the answers of these are read when all is asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.batch_work import BatchWork, records_of
from runware_provider.engine.job.chosen_records import chosen_again, chosen_records
from runware_provider.engine.job.decider import READ_AT_ONCE
from runware_provider.engine.job.decision import Action
from runware_provider.engine.job.run_watch import UNRENDERED
from runware_provider.engine.job.template_check import TemplateCheck
from runware_provider.engine.outcome.rows import Judgement, Outcome
from runware_provider.engine.templates.prompt import Skip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from runware_provider.engine.api.request_bodies import FollowUp
    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.identity import Key
    from runware_provider.engine.job.batch_work import LetGo
    from runware_provider.engine.job.batches_in_hand import BatchesInHand
    from runware_provider.engine.job.chosen_records import Chosen
    from runware_provider.engine.job.decider import Decider
    from runware_provider.engine.job.decision import Decision, Earlier
    from runware_provider.engine.job.output_retries import OutputRetries
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.question import Question, Request
    from runware_provider.engine.job.run_watch import RunWatch

    Samples = list[Request | Skip]
    """What each sample of one record asks, or why it does not."""


@dataclass(kw_only=True)
class BatchFeed:
    """The batches of one run: read, asked, settled, staged."""

    prepared: Prepared
    flight: Flight
    decider: Decider
    retries: OutputRetries
    watch: RunWatch
    in_hand: BatchesInHand
    job_id: bytes
    may_resend_at: float
    """When what a process before may have sent may be sent again."""
    now: Callable[[], float]
    puts_off: bool = False
    """Whether some batches may ask nothing and others something. It costs those that ask nothing a second rendering."""
    _out_of_budget: list[Inference] = field(default_factory=list, repr=False)
    """Of the batch that is being loaded."""

    def __post_init__(self) -> None:
        prepared = self.prepared
        self._columns = list(dict.fromkeys([*prepared.messages.columns, *prepared.kept]))
        self._first_pass: Iterator[Chosen] | None = None
        if prepared.ranges:
            self._first_pass = chosen_records(prepared, self._columns)
        self._second_pass: Iterator[Chosen] | None = None
        self._template = TemplateCheck(prepared.messages.field)

    # what the exchange calls

    def wants(self) -> bool:
        """Whether there is another batch to load, and room for it in memory."""
        has_room = self.in_hand.has_room()
        if self._first_pass is not None:
            return has_room or self.in_hand.can_make_room()
        if self.in_hand.put_off:
            return has_room
        # What was let go waits for the stragglers, so that each batch is complete as soon as it is read.
        return bool(self.in_hand.let_go) and has_room and not len(self.flight)

    def all_loaded(self) -> bool:
        """Whether everything that may ask something was loaded."""
        return self._first_pass is None and not self.in_hand.put_off

    def exhausted(self) -> bool:
        """Whether all batches are loaded, those that were let go or put off for the second time."""
        return self.all_loaded() and not self.in_hand.let_go

    def pending(self) -> set[asyncio.Task[None]]:
        """Batches that are being staged; one that failed raises here."""
        return self.in_hand.staging.pending()

    async def load(self) -> None:
        """Read the next batch and put what it asks into the flight."""
        if not self.in_hand.has_room():
            self.in_hand.make_room()
        if self._first_pass is None or self._has_to_know():
            await self._load_again()
            return
        chosen = await asyncio.to_thread(next, self._first_pass)
        if chosen.last:
            self._first_pass = None
        self.watch.leave_out(chosen.left_out)
        await self._take_in(BatchWork(chosen.batch, chosen.records.select(self.prepared.kept)), chosen)

    def settle(self, inference: Inference, entry: Entry) -> FollowUp | None:
        """Give the last word to the rows that wait for it; or say what to ask further about an answer that does not fit.

        Args:
            inference: whose attempt has ended.
            entry: how it ended, durable.

        Returns:
            What the next attempt says beside the prompt; None where that was the last word.
        """
        following = self.retries.after(inference, entry, may_ask=self.decider.may_ask)
        if isinstance(following, Judgement):
            self.watch.price(inference.prompt_tokens, following)
            self.watch.saw_payment(entry, following.outcome)
            self.in_hand.settle(inference.key, following)
            return None
        # An answer that is asked about further did not fit.
        self.watch.saw_payment(entry, Outcome.INVALID)
        self.watch.asks_again(inference.key, entry.cost)
        return following

    def refused(self, verdicts: Sequence[tuple[Inference, Entry]]) -> None:
        """The API refused the request as such, for each of the first: they keep their chance, and can be looked at."""
        for inference, entry in verdicts:
            self.in_hand.refused(inference.key, self.decider.judge.judge(entry, inference.counted + 1))

    def budget_is_used_up(self) -> None:
        """From now on nothing new is asked: the budget is used up."""
        self.decider.may_ask = False

    async def end_without_budget(self, inferences: Sequence[Inference]) -> None:
        """The budget does not reach for these, and the flight has let them go.

        What was answered before counts, in an older generation, too.
        """
        for start in range(0, len(inferences), READ_AT_ONCE):
            some = inferences[start : start + READ_AT_ONCE]
            older = self._answered_before(some)
            read = await asyncio.to_thread(self.decider.read, list(older.values()))
            # Rows that were to be asked anew keep what they had.
            for (key, question), earlier in zip(older.items(), read, strict=True):
                self.in_hand.fall_back(key, question, earlier.judgement)
            for inference in some:
                if inference.key not in older:
                    self.in_hand.settle(inference.key, self.retries.without_money(inference))

    # a batch comes in

    async def _take_in(self, work: BatchWork, chosen: Chosen) -> None:
        """Ask what a batch asks, while it is rendered; one that asks nothing may be put off."""
        self.in_hand.take_in(work)
        to_read: dict[Key, Question] = {}
        unasked: list[list[Samples]] = []
        puts_off, perhaps_failed = self._puts_off_now(), 0
        async for records in self._rendered(work, chosen):
            unasked.append(records)
            failed = self._perhaps_failed_of(records) if puts_off else None
            # As far as the index tells, the batch asks nothing up to here.
            if failed is not None:
                perhaps_failed += failed
                continue
            puts_off = False
            self._ask_all(work, unasked, to_read)
        # Rows that may have failed are put off only as far as they may fail: a run that is to stop because too much has
        # failed stops before it pays for anything more.
        if puts_off and self.watch.bears(self.in_hand.perhaps_failed() + perhaps_failed):
            self.in_hand.put_off_until_later(work, perhaps_failed)
            return
        self._ask_all(work, unasked, to_read)
        self._template.check(work.slots, last=self._first_pass is None)
        await self._decide_loaded(work, to_read)

    def _puts_off_now(self) -> bool:
        """The first batches are read in any case: they show that requests like these are answered."""
        return self.puts_off and self.watch.proven and not self.watch.undecided()

    def _has_to_know(self) -> bool:
        """Whether what was put off may show that too much has failed: then nothing more is paid for before it is read."""
        in_hand = self.in_hand
        return bool(in_hand.put_off) and not self.watch.bears(in_hand.perhaps_failed())

    def _perhaps_failed_of(self, records: Sequence[Samples]) -> int | None:
        """How many rows of some records may have failed; None where any of them has something to ask or to look for.

        An answer that does not fit is asked about further, so that a single one is taken for a good one. Where it is none,
        that is asked when the answers are read; only one that was cut off or filtered is then a row that has failed.
        """
        requests: list[Request] = []
        perhaps_failed = 0
        for samples in records:
            requests += [request for request in samples if not isinstance(request, Skip)]
            # These have failed for certain, as the watch will see.
            perhaps_failed += sum(
                request.code == UNRENDERED for request in samples if isinstance(request, Skip)
            )
        answered_once = self.decider.questioner.answered_once(requests)
        others = [request for request, once in zip(requests, answered_once, strict=True) if not once]
        # Where nothing is asked about an answer that does not fit, nobody knows whether a single one is good.
        single_is_good = self.decider.wish.follow_ups.output_retries > 0
        if not single_is_good:
            perhaps_failed += len(requests) - len(others)
        for question in self.decider.questioner.questions(others):
            standing = question.standing
            if standing.shown is None or standing.fate_unknown or question.anew is not None:
                return None
            perhaps_failed += not (single_is_good and len(standing.answers) == 1)
        return perhaps_failed

    async def _take_in_again(self, work: BatchWork, chosen: Chosen, let_go: LetGo) -> None:
        """The same, once it is clear that its rows are those of before; or rows that changed would be paid for."""
        self.in_hand.take_in(work)
        rendered = [records async for records in self._rendered(work, chosen)]
        if work.asked != let_go.asked:
            raise BadInput(
                "source",
                f"what its rows ask has changed since this run began ({chosen.batch.ranges[0].path})",
                "Run again, and write to a source only between runs",
            )
        to_read: dict[Key, Question] = {}
        for records in rendered:
            self._ask(work, records, to_read)
        await self._decide_loaded(work, to_read)

    async def _rendered(self, work: BatchWork, chosen: Chosen) -> AsyncIterator[list[Samples]]:
        """What the records of a batch ask, some at a time."""
        for records in records_of(chosen.records, self.prepared.messages.columns):
            rendered = [self.decider.questioner.ask(record) for record in records]
            for samples in rendered:
                work.ask(samples)
            yield rendered
            await asyncio.sleep(0)

    async def _decide_loaded(self, work: BatchWork, to_read: dict[Key, Question]) -> None:
        await self._decide_read(work, to_read)
        given_up, self._out_of_budget = self._out_of_budget, []
        await self.end_without_budget(given_up)
        work.loaded = True
        self.in_hand.stage_if_complete(work)

    def _ask_all(self, work: BatchWork, unasked: list[list[Samples]], to_read: dict[Key, Question]) -> None:
        """Have records ask that were only looked at so far; the list is empty afterwards."""
        for records in unasked:
            self._ask(work, records, to_read)
        unasked.clear()

    def _ask(self, work: BatchWork, records: Sequence[Samples], to_read: dict[Key, Question]) -> None:
        """Each sample of some records gets its slot; what the ledger has to be read for is noted, to be read together."""
        requests: list[Request] = []
        for samples in records:
            requests += [request for request in samples if not isinstance(request, Skip)]
        questions = iter(self.decider.questioner.questions(requests))
        for samples in records:
            slots: list[Key | Skip] = []
            for request in samples:
                if isinstance(request, Skip):
                    self.in_hand.count(work, self.decider.judge.skipped(request), 1)
                    slots.append(request)
                else:
                    slots.append(self._slot(work, next(questions), to_read))
            work.slots.append(slots)

    def _slot(self, work: BatchWork, question: Question, to_read: dict[Key, Question]) -> Key:
        """What one row shows the outcome of."""
        # Another row asks the same just now: this one waits for the same answer. It has to be looked for here, in
        # the same breath as the ledger, or an answer that comes in between would be paid for once more.
        for same in (question, question.anew):
            if same is not None and self.flight.get(same.key) is not None:
                self.in_hand.wait(work, same.key, 1)
                return same.key
        if question.standing.shown is not None:
            to_read[question.key] = question
            return question.key
        decision = self.decider.decide(question)
        self._act(work, decision, None, 1)
        return decision.question.key

    async def _decide_read(self, work: BatchWork, to_read: dict[Key, Question]) -> None:
        """Read the answers that were there before, and do what is to be done about each."""
        rows = work.rows_of(to_read)
        others: dict[Key, Key] = {}
        settled = list(to_read.values())
        for start in range(0, len(settled), READ_AT_ONCE):
            questions = settled[start : start + READ_AT_ONCE]
            read = await asyncio.to_thread(self.decider.read, questions)
            for question, earlier in zip(questions, read, strict=True):
                decision = self.decider.decide(question, earlier)
                if decision.question.key != question.key:
                    others[question.key] = decision.question.key
                self._act(work, decision, earlier, rows[question.key])
        work.replace(others)

    def _act(self, work: BatchWork, decision: Decision, earlier: Earlier | None, rows: int) -> None:
        """Do what was decided about a question that some rows of a batch ask."""
        question = decision.question
        if decision.action is Action.ANSWERED and decision.judgement is not None:
            self.watch.proven = self.watch.proven or decision.judgement.answered
            if not work.counted:
                self.watch.price(question.request.tokens, decision.judgement)
            self.in_hand.show(work, question, decision.judgement, rows)
            return
        # The budget reaches for nothing more, so the rows keep what they had.
        if decision.action is Action.SKIP and decision.judgement is not None:
            self.in_hand.show(work, question, decision.judgement, rows)
            return
        answers = earlier.answers if earlier is not None and question.standing.answers else []
        self.watch.proven = self.watch.proven or bool(answers)
        self.in_hand.wait(work, question.key, rows)
        inference = self.decider.questioner.inference(question, self.job_id, self.now())
        inference.only_look_for = decision.action is Action.ONLY_LOOK_FOR
        if inference.doubted_at is not None:
            inference.not_before = self.may_resend_at
        if answers:
            inference.say(self.retries.begin(decision, answers))
        if decision.action is Action.SKIP:
            self._out_of_budget.append(inference)
        else:
            self.flight.add(inference, self.now())

    # the budget is used up

    def _answered_before(self, inferences: Sequence[Inference]) -> dict[Key, Question]:
        """Of those that have no answer in this generation: the same in the newest older one with a last word."""
        older: dict[Key, Question] = {}
        for inference in inferences:
            question = None if inference.key in self.retries else self.decider.questioner.before(inference)
            if question is not None:
                older[inference.key] = question
        return older

    # the second pass

    async def _load_again(self) -> None:
        """Read the next batch that was let go or put off once more; the ledger has its answers by now."""
        if self._second_pass is None:
            # What was put off waits for nobody, so it comes first.
            again = self.in_hand.put_off or self.in_hand.let_go
            in_order = sorted(again.values(), key=lambda let_go: let_go.batch.number)
            batches = [(let_go.batch, let_go.records) for let_go in in_order]
            self._second_pass = chosen_again(self.prepared, self._columns, batches)
        chosen = await asyncio.to_thread(next, self._second_pass, None)
        if chosen is None:
            self._second_pass = None
            return
        number = chosen.batch.number
        was_put_off = number in self.in_hand.put_off
        again = self.in_hand.put_off if was_put_off else self.in_hand.let_go
        work = BatchWork(chosen.batch, chosen.records.select(self.prepared.kept), counted=not was_put_off)
        await self._take_in_again(work, chosen, again[number])
        del again[number]

    # the end

    async def finish(self) -> None:
        """Wait for the last batches; every record that went in has come out.

        Raises:
            TooManyFailed: more failed than may, now that all is known.
        """
        await self.in_hand.staging.finish()
        counts, records = self.in_hand.staging.writer.counts, self.watch.records
        if counts.records != records or counts.rows != records * self.prepared.spec.samples:
            raise AssertionError(
                f"{records} records went in, {counts.records} records and {counts.rows} rows came out"
            )
        failed = self.watch.failed()
        if failed is not None:
            raise failed
