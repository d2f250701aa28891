"""Feeds batches to the exchange, reads what comes back, and turns a batch into parts when its last word is in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runware_provider.engine.attempt import Kind
from runware_provider.engine.errors import BadInput, JobStopped, TooManyFailed
from runware_provider.engine.exchange.flight import Phase
from runware_provider.engine.job.batch_work import BatchWork, records_of
from runware_provider.engine.job.chosen_records import chosen_records
from runware_provider.engine.job.progress import Progress
from runware_provider.engine.job.questions import add_follow_up
from runware_provider.engine.outcome.follow_up import (
    OUT_OF_BUDGET,
    Step,
    ended_with,
    follow_up,
    last_word,
    next_step,
)
from runware_provider.engine.outcome.rows import FAILED, Counts
from runware_provider.engine.outcome.standing import may_have_been_sent
from runware_provider.engine.templates.prompt import Skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runware_provider.engine.api.request_bodies import FollowUp
    from runware_provider.engine.attempt import Attempt, Entry
    from runware_provider.engine.exchange.flight import Flight, Inference
    from runware_provider.engine.identity import Key
    from runware_provider.engine.job.failure_watch import FailureWatch
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.questions import Question, Questioner, Request
    from runware_provider.engine.memory.ledger import Ledger
    from runware_provider.engine.outcome.part_writer import PartWriter
    from runware_provider.engine.outcome.rows import Judge, Judgement
    from runware_provider.engine.outcome.standing import Standing

    Report = Callable[[Progress], None]
    Answers = list[tuple[Entry, Judgement]]
    """To one inference, the oldest first, and what is thought of each."""

SHARDS_IN_HAND = 3
"""So that a straggler does not stall the next batch, and memory stays bounded."""
JUDGED_AT_ONCE = 2_000
"""As many as a row group of the ledger has, which is read as a whole: fewer would read each again and again."""
MOST_PRICED = 10_000
FIRST = 0.0
"""When a further question is due: before everything new, so that its record is soon decided."""


@dataclass(kw_only=True)
class BatchFeed:
    """The batches of one run: read, asked, judged, staged."""

    prepared: Prepared
    ledger: Ledger
    flight: Flight
    writer: PartWriter
    questioner: Questioner
    judge: Judge
    watch: FailureWatch | None
    job_id: bytes
    report_to: Report | None
    now: Callable[[], float]
    seen: Counts = field(default_factory=Counts)
    """Rows whose outcome is known, whether or not their part is written."""
    priced: list[tuple[int, float]] = field(default_factory=list)
    """Of some answers with a reported cost: estimated prompt tokens and USD."""

    def __post_init__(self) -> None:
        prepared = self.prepared
        needed = list(dict.fromkeys([*prepared.prompt.columns, *prepared.kept]))
        self._chosen = chosen_records(prepared, needed)
        self._exhausted = not prepared.batches
        self._template_checked = False
        self._in_hand: list[BatchWork] = []
        self._owners: dict[Key, list[BatchWork]] = {}
        self._finishing: set[asyncio.Task[None]] = set()
        self._started = self.now()
        self._reported_at = self._started
        self._reused = 0
        self._proven = False
        self._short = False
        self._given_up: list[Inference] = []
        """Of the batch that is being loaded."""
        self._answers: dict[Key, Answers] = {}
        """Of inferences under way, those that they ask about further."""
        self.records = prepared.records
        """Records that the job is about, as far as is known: fewer where filters leave some out."""

    # what the exchange calls

    def wants(self) -> bool:
        """Whether there is another batch, and room for it in memory."""
        return not self._exhausted and len(self._in_hand) < SHARDS_IN_HAND

    def proven(self) -> bool:
        """Whether this very kind of request was answered before."""
        return self._proven

    def exhausted(self) -> bool:
        """Whether all batches are loaded."""
        return self._exhausted

    def failing(self) -> JobStopped | None:
        """Why the job should stop, if too much fails."""
        reason = self.watch.beyond() if self.watch is not None else None
        return TooManyFailed(reason) if reason is not None else None

    def undecided(self) -> bool:
        """Whether too few answers are known yet to tell a prompt that always fails."""
        return self.watch is not None and self.watch.undecided

    def pending(self) -> set[asyncio.Task[None]]:
        """Parts that are being written; a failed one raises here."""
        for task in [task for task in self._finishing if task.done()]:
            self._finishing.discard(task)
            task.result()
        return set(self._finishing)

    async def load(self) -> None:
        """Read the next batch and put what it asks into the flight."""
        chosen = await asyncio.to_thread(next, self._chosen)
        self._exhausted = chosen.last
        self._leave_out(chosen.left_out)
        work = BatchWork(chosen.batch, chosen.records.select(list(self.prepared.kept)))
        self._in_hand.append(work)
        settled: dict[Key, tuple[Question, Attempt]] = {}
        for records in records_of(chosen.records, self.prepared.prompt.columns):
            self._ask(work, [self.questioner.ask(record) for record in records], settled)
            await asyncio.sleep(0)
        self._check_template(work)
        await self._judge_earlier(work, settled)
        given_up, self._given_up = self._given_up, []
        await self.give_up(given_up)
        work.loaded = True
        self._finish_if_complete(work)

    def _leave_out(self, records: int) -> None:
        self.records -= records
        if self.watch is not None:
            self.watch.left_out(records * self.prepared.spec.samples)

    def _ask(
        self,
        work: BatchWork,
        records: Sequence[Sequence[Request | Skip]],
        settled: dict[Key, tuple[Question, Attempt]],
    ) -> None:
        """Each sample of some records gets its slot; what is settled already is noted, to be judged together."""
        requests = [one for asked in records for one in asked if not isinstance(one, Skip)]
        questions = iter(self.questioner.questions(requests))
        for asked in records:
            work.slots.append(
                [
                    self._skipped(one)
                    if isinstance(one, Skip)
                    else self._slot(work, next(questions), settled)
                    for one in asked
                ]
            )

    def _skipped(self, skip: Skip) -> Skip:
        self._count(self.judge.skipped(skip), 1)
        return skip

    def _slot(self, work: BatchWork, question: Question, settled: dict[Key, tuple[Question, Attempt]]) -> Key:
        key, known = question.key, question.standing
        if known.settled is not None and self.flight.get(key) is None:
            settled[key] = (question, known.settled)
            self._reused += 1
            return key
        self._await(work, question)
        return key

    def _await(
        self, work: BatchWork, question: Question, rows: int = 1, further: FollowUp | None = None
    ) -> None:
        """Have some rows wait for a question, and put it into the flight unless it is there."""
        key = question.key
        work.awaited[key] += rows
        owners = self._owners.setdefault(key, [])
        if work not in owners:
            owners.append(work)
        if self.flight.get(key) is None:
            inference = self.questioner.inference(question, self.job_id, self.now(), further)
            if self._short and not question.standing.fate_unknown:
                self._given_up.append(inference)
            else:
                self.flight.add(inference, self.now())

    def _check_template(self, work: BatchWork) -> None:
        """A template that fails on every record of the first batch that has some is at fault itself."""
        if not work.slots or self._template_checked:
            return
        self._template_checked = True
        first = work.slots[0][0]
        failed = all(isinstance(one, Skip) and one.code == "prompt_error" for (one, *_) in work.slots)
        if failed and isinstance(first, Skip):
            raise BadInput(
                "prompt",
                f"it cannot be rendered for any of the first {len(work.slots)} records: {first.message}",
                "Mend the template; nothing was sent",
            )

    async def _judge_earlier(self, work: BatchWork, settled: dict[Key, tuple[Question, Attempt]]) -> None:
        """Read the answers that were there before; what is to be asked again, or further, goes into the flight."""
        rows = work.rows_of(settled)
        others: dict[Key, Key] = {}
        waiting = list(settled.items())
        for start in range(0, len(waiting), JUDGED_AT_ONCE):
            some = waiting[start : start + JUDGED_AT_ONCE]
            found = await asyncio.to_thread(self._judgements, [one for _, one in some])
            for (key, (question, _)), (answers, judgement) in zip(some, found, strict=True):
                if judgement.outcome in FAILED and self.questioner.asks_again(question):
                    again = self.questioner.anew(question)
                    others[key] = again.key
                    self._reused -= rows[key]
                    self._await(work, again, rows[key])
                    continue
                self._proven = self._proven or judgement.answered
                step = self._step(answers, question.standing)
                if step is not None:
                    self._answers[key] = answers
                    self._reused -= rows[key]
                    self._await(work, question, rows[key], follow_up(step, answers, self.prepared.forced))
                    continue
                work.judged[key] = judgement
                self._price(question.request.tokens, judgement)
                self._count(judgement, rows[key])
        work.replace(others)

    def _judgements(self, settled: Iterable[tuple[Question, Attempt]]) -> list[tuple[Answers, Judgement]]:
        held = [(question.standing, attempt) for question, attempt in settled]
        found = self.ledger.entries(
            [attempt for known, settled in held for attempt in (known.answers or (settled,))]
        )
        return [self._read(known, attempt, found) for known, attempt in held]

    def _read(
        self, known: Standing, settled: Attempt, found: Mapping[Attempt, Entry]
    ) -> tuple[Answers, Judgement]:
        """The answers to an inference, if it has any, and its last word as far as it is known."""
        if not known.answers:
            return [], self.judge.judge(found[settled], known.counted)
        answers = [(found[one], self.judge.judge(found[one], 1)) for one in known.answers]
        note = ended_with(known.over.family) if known.over is not None else None
        return answers, last_word([one for _, one in answers], known.counted, note)

    def _step(self, answers: Answers, known: Standing) -> Step | None:
        """What is to be asked further about answers of before.

        One more than allowed, where it may have been sent already: it may be paid for.
        """
        if not answers or known.over is not None:
            return None
        judged, policy = [one for _, one in answers], self.prepared.follow_ups
        if may_have_been_sent(known):
            policy = replace(policy, reasks=max(policy.reasks, len(answers)))
        return next_step(judged, policy)

    def settle(self, inference: Inference, entry: Entry) -> None:
        """Ask further about an answer that does not fit, or give the last word to the batches that wait for it."""
        key, note = inference.key, None
        answers = self._answers.pop(key, [])
        if entry.kind is Kind.ANSWERED:
            answers.append((entry, self.judge.judge(entry, 1)))
            step = next_step([one for _, one in answers], self.prepared.follow_ups)
            if step is not None and not self._short:
                self._ask_further(inference, step, answers)
                return
            note = OUT_OF_BUDGET if step is not None else None
        if not answers:
            self._settle(key, self.judge.judge(entry, inference.counted))
            return
        if entry.kind is not Kind.ANSWERED:
            note = ended_with(entry.family)
        judgement = last_word([one for _, one in answers], inference.counted, note)
        add_follow_up(inference, None)
        self._price(inference.tokens, judgement)
        self._settle(key, judgement)

    def _ask_further(self, inference: Inference, step: Step, answers: Answers) -> None:
        self._answers[inference.key] = answers
        inference.start_attempt(self.job_id, inference.attempt + 1)
        add_follow_up(inference, follow_up(step, answers, self.prepared.forced))
        inference.phase = Phase.READY
        self.flight.add(inference, FIRST)

    def _price(self, tokens: int, judgement: Judgement) -> None:
        cost = judgement.facts.get("cost_usd")
        if judgement.answered and cost is not None and len(self.priced) < MOST_PRICED:
            self.priced.append((tokens, cost))

    async def give_up(self, inferences: Sequence[Inference]) -> None:
        """The budget does not reach for these; their fate may be in doubt, and stays so in the ledger.

        What was answered before counts, in an older generation, too.
        """
        for start in range(0, len(inferences), JUDGED_AT_ONCE):
            some = inferences[start : start + JUDGED_AT_ONCE]
            before: list[tuple[Question, Attempt]] = []
            keys: list[Key] = []
            for one in some:
                older = self.questioner.before(one) if one.key not in self._answers else None
                if older is not None and older.standing.settled is not None:
                    keys.append(one.key)
                    before.append((older, older.standing.settled))
            found = await asyncio.to_thread(self._judgements, before)
            shown = {
                key: (older.key, judgement)
                for key, (older, _), (_, judgement) in zip(keys, before, found, strict=True)
            }
            for one in some:
                if one.key not in shown:
                    self._let_go(one)
            self._fall_back(shown)

    def _fall_back(self, shown: Mapping[Key, tuple[Key, Judgement]]) -> None:
        """Rows that were to be asked anew keep what they had."""
        for key in shown:
            self._owners.pop(key, None)
        for work in list(self._in_hand):
            for judgement, rows in work.fall_back(shown):
                self._reused += rows
                self._count(judgement, rows)
            self._finish_if_complete(work)

    def _let_go(self, inference: Inference) -> None:
        answers = self._answers.pop(inference.key, [])
        if answers:
            judged = [one for _, one in answers]
            self._settle(inference.key, last_word(judged, inference.counted, OUT_OF_BUDGET))
        else:
            doubted = inference.task_uuid if inference.doubted_at is not None else None
            self._settle(inference.key, self.judge.given_up(inference.counted, doubted))

    def cut_short(self) -> None:
        """From now on nothing new is asked: the budget is used up."""
        self._short = True

    def _settle(self, key: Key, judgement: Judgement) -> None:
        for work in self._owners.pop(key, []):
            self._count(judgement, work.settle(key, judgement))
            self._finish_if_complete(work)

    def _count(self, judgement: Judgement, rows: int) -> None:
        self.seen.saw(judgement, rows)
        if self.watch is None:
            return
        if judgement.sent:
            self.watch.saw(failed=judgement.outcome in FAILED, times=rows)
        else:
            self.watch.left_out(rows)

    def records_done(self) -> int:
        """Records of which every sample has its last word, or needs none."""
        return self.writer.counts.records + sum(work.records_done() for work in self._in_hand)

    def tick(self, trouble: str | None) -> None:
        """Report now and then."""
        if self.now() - self._reported_at >= 1.0:
            self.report(trouble)

    def report(self, trouble: str | None = None) -> None:
        """Say how far the job is."""
        self._reported_at = self.now()
        if self.report_to is None:
            return
        total = self.records * self.prepared.spec.samples
        done = min(self.seen.rows, total)
        self.report_to(
            Progress(
                done=done,
                total=total,
                elapsed_s=self.now() - self._started,
                outstanding=self.flight.outstanding,
                cost=self.ledger.paid,
                reused=min(self._reused, done),
                trouble=trouble,
            )
        )

    # from a batch to its parts

    def _finish_if_complete(self, work: BatchWork) -> None:
        if work.complete and not work.finishing:
            work.finishing = True
            self._finishing.add(asyncio.create_task(self._write_parts(work)))

    async def _write_parts(self, work: BatchWork) -> None:
        self.ledger.mark_used(work.judged)
        await asyncio.to_thread(self.writer.write, work.batch.number, work.kept, work.slots, work.judged)
        self._in_hand.remove(work)

    async def finish(self) -> None:
        """Wait for the last parts; every record that went in has come out.

        Raises:
            TooManyFailed: more failed than may, now that all is known.
        """
        await asyncio.gather(*self._finishing)
        self._finishing.clear()
        await asyncio.to_thread(self.writer.finish)
        counts, asked = self.writer.counts, self.records
        if counts.records != asked or counts.rows != asked * self.prepared.spec.samples:
            raise AssertionError(
                f"{asked} records went in, {counts.records} records and {counts.rows} rows came out"
            )
        reason = self.watch.beyond_at_the_end() if self.watch is not None else None
        if reason is not None:
            raise TooManyFailed(reason)

    async def abandon(self) -> None:
        """Remove the parts, once those that are being written are there; what they hold is in the ledger."""
        await asyncio.gather(*self._finishing, return_exceptions=True)
        await asyncio.to_thread(self.discard)

    def discard(self) -> None:
        """Remove the staged parts."""
        for part in self.writer.staged:
            self.prepared.storage.delete(part.path)
