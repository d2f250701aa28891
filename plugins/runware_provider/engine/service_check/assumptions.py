"""What this project assumes of the service, and what follows where it is so, and where it is not. A table, no I/O.

Where an assumption comes from is told by the section of the API contract (`runware-api.md`) and its mark there: `doc` for the
vendor's documentation or SDK, `seen` for public code that talks to the service, `guess` for what was deduced, `open` for what
no source says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Mark = Literal["doc", "seen", "guess", "open"]
TEMPLATE: Final = "service-differs"
"""The issue template, below `.github/ISSUE_TEMPLATE`, for a service that does something else."""
TELL: Final = f"tell us, with the issue template `{TEMPLATE}`"


@dataclass(frozen=True)
class Assumption:
    """One thing that the service is believed to do.

    Attributes:
        id: names it in results, in the table and on the page.
        section: of the API contract.
        mark: who says so there.
        claim: what the service does, in a sentence without its full stop.
        if_so: what the engine does because of it.
        if_not: what the engine does, or what happens to a job, where the service does otherwise.
        remedy: what a user does about that: an option, or the issue template.
    """

    id: str
    section: int
    mark: Mark
    claim: str
    if_so: str
    if_not: str
    remedy: str

    @property
    def place(self) -> str:
        """Where the contract speaks of it."""
        return f"{self.section} [{self.mark}]"


ASSUMPTIONS: Final = (
    Assumption(
        "key-check",
        1,
        "seen",
        "a task `authentication` alone says whether the key is taken, and costs nothing",
        "the connection's test, and the first words of a run, ask it",
        "a good key is called bad by the connection's test; jobs are not touched",
        f"do not rely on the Test button; {TELL}",
    ),
    Assumption(
        "balance",
        1,
        "doc",
        "`accountManagement` tells the account's `balance` as a number",
        "`RunwareHook().balance()` returns it",
        "it raises `Unreachable`; jobs do not ask for it",
        TELL,
    ),
    Assumption(
        "models-list",
        1,
        "seen",
        "`GET /models` lists the model with `pricing.prompt` and `pricing.completion`",
        "`plan`, budgets and forecasts take the price from it",
        "they take the price that this version knows, or none",
        f"`--usd-per-million IN,OUT`, or `Budget(usd_per_million=...)`; {TELL}",
    ),
    Assumption(
        "price-unit",
        1,
        "guess",
        "the listed price fits what an answer costs: tokens times price, or less where a beginning was cached",
        "estimates and budgets are right from the first answer on",
        "estimates are wrong until the job has learnt from its own answers; `budget` counts what answers really cost",
        f"`--usd-per-million IN,OUT`; begin with `preview`; {TELL}",
    ),
    Assumption(
        "bad-role",
        2,
        "seen",
        "a `system` role in `messages` is refused, as an invalid message",
        "a system prompt is sent in `settings.systemPrompt` alone",
        "nothing changes: no such role is sent",
        TELL,
    ),
    Assumption(
        "error-shape",
        7,
        "doc",
        "a refused task stands in `errors` with `code`, `message` and its `taskUUID`",
        "the error is about its record alone, and its code says what becomes of it",
        "what names no task is asked for again in smaller requests, until it is known whose it is",
        f"`--tasks-per-request 1` makes each error name its task; {TELL}",
    ),
    Assumption(
        "unknown-model",
        7,
        "seen",
        "a model that does not exist is refused with a code that says so",
        "the job stops at once and names the model",
        "every record is refused or tried again, and the job stops after the first chunk or by `failures`",
        f"check the model's name with `plan`; {TELL}",
    ),
    Assumption(
        "refused-unpaid",
        9,
        "open",
        "what is refused costs nothing",
        "refused tasks are not counted as paid",
        "the bill is higher than the manifest says, by what refusals cost",
        TELL,
    ),
    Assumption(
        "rejected-uuid",
        5,
        "open",
        "the UUID of a refused task can be sent again",
        "a task that met a full queue is sent again under its UUID",
        "such a task meets a conflict, is polled for 10 s, and gets a new UUID: it is late and paid once",
        f"none is needed; {TELL}",
    ),
    Assumption(
        "unknown-poll",
        4,
        "seen",
        "a poll of an unknown UUID is answered with `data: []`, or with an error that says it is not found",
        "the archive is asked, and what is nowhere is sent again",
        "another word would be taken for one about the task: it may be given up, or waited for too long",
        TELL,
    ),
    Assumption(
        "unknown-archive",
        4,
        "guess",
        "the archive says of an unknown UUID that it is not found, or nothing",
        "what is nowhere was not executed, and is sent again under the same UUID",
        "tasks whose request was lost wait until `deadline_s` and end as `failed` with `lost`",
        f"`--deadline-s` shortens the wait; {TELL}",
    ),
    Assumption(
        "sync-reply",
        3,
        "doc",
        "a sync task is answered in `data` with its `taskUUID`, a `text` and a `finishReason`",
        "the answer is read from `text`",
        "answers are asked for by polls, or rows are `invalid`; raw answers are kept",
        f"`--delivery poll`; `--keep-raw`; {TELL}",
    ),
    Assumption(
        "plain-text",
        3,
        "seen",
        "`text` holds the answer alone: no thoughts, no code fence",
        "it is taken as it is",
        "thoughts and fences are cut off before an answer is read; text that nobody checks keeps its fence",
        f"none is needed for typed answers; `--settings` with a `thinking_level`; {TELL}",
    ),
    Assumption(
        "finished-status",
        4,
        "seen",
        "a finished item says `status: success`",
        "it is finished",
        "a text, a call or a finish reason ends it all the same",
        f"none is needed; {TELL}",
    ),
    Assumption(
        "reasoning-shape",
        3,
        "doc",
        "`reasoningContent`, where there is one, is a text",
        "it is never taken for the answer",
        "a list of texts is joined",
        f"none is needed; {TELL}",
    ),
    Assumption(
        "cost-reported",
        3,
        "doc",
        "an answer tells its `cost` as a number of USD",
        "the manifest and `budget` add it up",
        "a text is read as a number; what is missing is counted in `cost_unreported`, and a budget in USD counts estimates",
        f"`--budget-tokens` bounds the job where no cost is told; {TELL}",
    ),
    Assumption(
        "usage-reported",
        3,
        "doc",
        "an answer tells its tokens as `usage.promptTokens` and `usage.completionTokens`, both numbers",
        "the manifest, `budget` and forecasts count them",
        "the older names and texts are read as well; what is missing stays null in the rows",
        f"`--budget-usd` bounds the job where no tokens are told; {TELL}",
    ),
    Assumption(
        "sync-poll",
        4,
        "doc",
        "an answered sync task can be polled",
        "a sync reply that got lost is fetched, and not paid again",
        "the archive is asked for it",
        f"`--delivery poll`, if `archive` differs as well; {TELL}",
    ),
    Assumption(
        "archive",
        4,
        "doc",
        "`getTaskDetails` tells the `response` of a finished task",
        "answers that polls have forgotten are found there before anything is sent again",
        "such a record is `failed` with `lost` after `deadline_s`, and not paid again unasked",
        f"`--retry-failed` asks for those rows anew, which may be paid twice; {TELL}",
    ),
    Assumption(
        "reused-uuid",
        5,
        "seen",
        "a UUID that was used is refused with `conflictTaskUUID`, and nothing runs again",
        "after a lost reply the same UUID is sent again without fear: it cannot be paid twice",
        "a request that is sent again may run, and be paid, again. The engine asks polls and archive first, which leaves the moments"
        " in which neither knows of it yet",
        f"`--no-retry-lost`; keep `--request-timeout-s` high; {TELL}: this one matters most",
    ),
    Assumption(
        "archive-after-replay",
        4,
        "open",
        "a refused replay leaves what the archive stores as it was",
        "the order of questions does not matter",
        "nothing changes: a job asks the archive before it sends anything again",
        f"none is needed; {TELL}",
    ),
    Assumption(
        "acknowledgement",
        4,
        "doc",
        "an async task is acknowledged by an item with its `taskUUID` and nothing of an answer",
        "it is waited for as accepted",
        "what is named nowhere is polled and looked up until somebody knows it",
        f"none is needed; {TELL}",
    ),
    Assumption(
        "known-at-once",
        11,
        "guess",
        "a task that was acknowledged is known to polls at once",
        "the first poll finds it",
        "it is waited for as it was accepted; after a lost reply polls begin a second later",
        f"none is needed; if it takes more than a second, {TELL}",
    ),
    Assumption(
        "running-poll",
        4,
        "seen",
        "a poll of a running task says `processing`",
        "it is waited for, up to ten times `deadline_s`",
        "nobody can tell by `data: []` whether a task runs or is unknown: the archive is asked as well, and nothing is sent again before `deadline_s`",
        f"`--deadline-s` above the longest answer; {TELL}",
    ),
    Assumption(
        "finished-poll",
        4,
        "doc",
        "a finished task is told at the next poll",
        "its answer is written to the ledger",
        "the archive is asked for it",
        f"`--delivery sync`, if `archive` differs as well; {TELL}",
    ),
    Assumption(
        "polls-repeat",
        4,
        "seen",
        "a finished task is told again at later polls",
        "a process that dies between a poll and the ledger asks again",
        "an answer whose poll was lost is looked for in the archive",
        f"none is needed while `archive` holds; {TELL}",
    ),
    Assumption(
        "mixed-array",
        1,
        "doc",
        "a refused task in an array does not touch the others, whatever the HTTP status",
        "each record has its own fate",
        "the rest of an array is asked for, found nowhere, and sent again in smaller requests",
        f"`--tasks-per-request 1`; {TELL}",
    ),
    Assumption(
        "two-items",
        1,
        "doc",
        "two tasks in one array are both accepted",
        "up to `tasks_per_request` tasks are sent at once",
        "requests are made smaller until they are taken",
        f"`--tasks-per-request 1`; {TELL}",
    ),
    Assumption(
        "two-polls",
        4,
        "seen",
        "two polls in one array are both answered",
        "up to `polls_per_request` tasks are asked for at once",
        "what is not named is asked for again, and looked up",
        f"`--polls-per-request 1`; {TELL}",
    ),
    Assumption(
        "named-once",
        4,
        "doc",
        "a reply names each task that was asked for once, and no other",
        "items are matched by their UUID",
        "repeated items are taken once, strange ones are passed over",
        f"none is needed; {TELL}",
    ),
    Assumption(
        "forced-tool",
        2,
        "doc",
        "a model that is forced to call a tool calls it once, with arguments that fit its schema",
        "typed answers are asked for by a tool, for models without JSON mode",
        "the row is `invalid`, after as many `output_retries` as are wished",
        f"`--output-mode prompt`; `--output-retries`; {TELL}",
    ),
    Assumption(
        "tool-call-shape",
        3,
        "guess",
        "a call stands in `tools` as `{id, name, input}`, `input` being an object",
        "arguments are read from there",
        "`toolCalls`, `arguments`, and JSON texts are read as well; anything else makes the row `invalid`, with its raw answer",
        f"`--keep-raw`, `--output-mode prompt`; {TELL}: with the shape as the result has it",
    ),
    Assumption(
        "stream",
        10,
        "doc",
        "a stream brings frames with a `delta`, a `finishReason`, `usage` and `cost`, and ends with `[DONE]`",
        "its pieces are joined to the answer",
        "the answer is fetched by polls, as after a lost reply",
        f"`--delivery poll` or `sync`; {TELL}",
    ),
    Assumption(
        "webhook",
        6,
        "doc",
        "a finished task is posted to its `webhookURL`",
        "answers are taken from the inbox, and only what is overdue is polled",
        "everything is overdue, and polled",
        f"`--delivery poll`; {TELL}",
    ),
    Assumption(
        "webhook-shape",
        6,
        "doc",
        "the body of a webhook is the finished item itself",
        "it is read as the item of a poll",
        "lists, and items below `data` or `errors`, are read as well; of anything else the task is polled",
        f"none is needed; {TELL}",
    ),
    Assumption(
        "bill",
        9,
        "guess",
        "the balance falls by what the answers say that they cost",
        "the manifest is the bill",
        "something is charged that no answer tells, or somebody else uses the account",
        f"compare a small run with the account's page; {TELL}",
    ),
)
BY_ID: Final = {assumption.id: assumption for assumption in ASSUMPTIONS}
