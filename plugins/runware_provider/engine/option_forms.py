"""How the option of a field is written and read: by the type of the field, or by hand.

`BY_HAND` is the only place to mend where a field's option has to differ from what its type makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine import option_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NEW_WISH = "\0"
"""`--refresh` or `--retry-failed` without a name."""


@dataclass(frozen=True)
class Form:
    """How an option is written and read.

    Attributes:
        metavar: what stands for the value in the help.
        read: makes the field's value of the option's flag and what is written behind it; else the spec reads the text.
        name: the option's name without its hyphens, where it is not the field's.
        help: said in the help instead of the field's docstring.
        argparse: further arguments of `add_argument`.
    """

    metavar: str
    read: Callable[[str, Any], Any] | None = None
    name: str = ""
    help: str = ""
    argparse: Mapping[str, Any] = field(default_factory=dict)


REPEATABLE: Mapping[str, Any] = {"action": "append"}
_MAYBE_NAMED: Mapping[str, Any] = {"nargs": "?", "const": NEW_WISH}

BY_HAND = {
    "source": Form("PATH"),
    "destination": Form("FOLDER"),
    "partition": Form("KEY=VALUE", option_values.pairs, argparse=REPEATABLE),
    "model": Form("NAME"),
    "prompt": Form(
        "TEXT_OR_FILE",
        option_values.prompt,
        help="The template, Jinja, rendered once per record: its text, or a file that ends in .j2",
    ),
    "messages": Form(
        "FILE.json|JSON|EXPR",
        option_values.messages,
        help='In the place of --prompt, a conversation: a file of [{"role": "user", "content": TEMPLATE}, ...], the list itself,'
        " or one expression that takes all messages from the record, such as '{{ record.chat }}'",
    ),
    "system_prompt": Form(
        "TEXT_OR_FILE",
        option_values.system_prompt,
        help="Sent as it is, no template: its text, or a file that ends in .txt, .md or .j2",
    ),
    "output_type": Form(
        "FILE.json",
        option_values.schema_file,
        name="schema",
        help="JSON Schema that every answer must fit; or labels, as an enum",
    ),
    "tools": Form("FILE.json", option_values.tools_file),
    "tool_choice": Form("auto|any|none|NAME"),
    "refresh": Form("NAME", argparse=_MAYBE_NAMED),
    "retry_failed": Form("NAME", argparse=_MAYBE_NAMED),
    "filters": Form(
        "EXPR",
        option_values.filters,
        name="filter",
        help="Only records for which this holds, such as 'total > 100', 'country in de,fr' or 'vat_id is null';"
        " several must hold together",
        argparse=REPEATABLE,
    ),
    "failures.most": Form(
        "N|SHARE|none",
        name="max-failed",
        help="Rows that may fail for the dataset to be published, a count or a share of those asked",
    ),
    "failures.dataset": Form("FOLDER", name="failures"),
    "memory.state": Form("FOLDER"),
    "run": Form("NAME"),
    "variables": Form(
        "KEY=VALUE",
        option_values.pairs,
        name="variable",
        help="What the template may name beside `record`, such as ds=2026-01-01",
        argparse=REPEATABLE,
    ),
    "settings.stop_sequences": Form("TEXT", argparse=REPEATABLE),
    "budget.usd": Form("USD", name="budget-usd"),
    "budget.tokens": Form("N", name="budget-tokens"),
    "webhook.verify": Form("", name="webhook-verify"),
    "webhook.when_unreachable": Form("stop|poll", name="webhook-when-unreachable"),
    "webhook.overdue_s": Form("SECONDS", name="webhook-overdue-s"),
    "answers.model_profile": Form(
        "JSON",
        option_values.json_object,
        help='What the model can do, such as {"json_schema": true, "unsupported": ["pattern"]}',
    ),
}
"""By field: what differs from what the type makes of it. A value object that is named here has one option as a whole."""

_BY_TYPE = {
    "integer": Form("N"),
    "number": Form("X"),
    "array": Form("A,B", option_values.comma_separated),
    "object": Form("JSON", option_values.json_object),
}
"""By type of JSON Schema."""


def form_of(field_name: str, schema: Mapping[str, Any]) -> Form:
    """How the option of a field with this JSON Schema is written and read."""
    if field_name in BY_HAND:
        return BY_HAND[field_name]
    if "enum" in schema:
        return Form("|".join(schema["enum"]))
    if field_name.endswith("_s"):
        return Form("SECONDS")
    return _BY_TYPE.get(schema.get("type", ""), Form("TEXT"))
