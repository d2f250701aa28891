"""The options that describe a job: one for each field of `Spec` and of its value objects.

Name, metavar, bounds, default and help follow from the field's name, its JSON Schema and the docstring below it; what
does not is in a table of `option_forms`. So a new field has its option without a line here.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from runware_provider.engine import option_values
from runware_provider.engine.earlier_names import NOW
from runware_provider.engine.errors import BadInput
from runware_provider.engine.option_forms import BY_HAND, REPEATABLE, Form, form_of
from runware_provider.engine.spec import Settings, Spec
from runware_provider.engine.value_object import ValueObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType

    from runware_provider.engine.job.run_request import Given


EITHER = ("prompt", "messages")
"""Fields of which a job needs one."""
RIVALS = (EITHER, ("output_type", "tools", "tool_choice"))
"""Fields of which one that is given now takes the place of the others, as a run before had them."""
ADDED_TO = frozenset(
    {"settings", "budget", "answers", "publish", "failures", "memory", "limits", "webhook", "variables"}
)
"""Fields of which a part that is given now leaves the other parts as a run before had them."""


@dataclass(frozen=True)
class Option:
    """The option of a field.

    Attributes:
        field: the field's name, behind that of its value object: `limits.attempts`.
        schema: the JSON Schema of its values other than None, with its default.
        docstring: what the source says below the field.
        required: whether a job needs it.
    """

    field: str
    schema: Mapping[str, Any]
    docstring: str
    required: bool

    @property
    def form(self) -> Form:
        """How it is written and read."""
        return form_of(self.field, self.schema)

    @property
    def flag(self) -> str:
        """As it is written: `--attempts`; a switch that is on by default gets one that turns it off."""
        name = self.form.name or self.field.rpartition(".")[2].replace("_", "-")
        return f"--no-{name}" if self.schema.get("default") is True else f"--{name}"

    @property
    def written(self) -> str:
        """With what stands for its value."""
        return f"{self.flag} {self.form.metavar}"

    @property
    def dest(self) -> str:
        """Where argparse puts what is written."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def value_object(self) -> str:
        """The field of the spec that holds this field's value object; empty for a field of the spec itself."""
        return self.field.rpartition(".")[0]

    def arguments(self) -> dict[str, Any]:
        """The arguments of argparse's `add_argument` besides the flag; a default is the spec's to fill in."""
        if self.schema.get("type") == "boolean":
            return {"help": self._help(), "action": "store_const", "const": not self.schema.get("default")}
        return {
            "help": self._help(),
            "metavar": self.form.metavar,
            "required": self.required,
            **self.form.argparse,
        }

    def read(self, text: Any) -> Any:
        """The field's value from what is written behind the option: a text, texts if it is repeatable, or a switch.

        Raises:
            BadInput: it is empty, or cannot be read.
        """
        if text == "":
            raise BadInput(self.flag, "it is empty", "Give a value, or leave the option out")
        return self.form.read(self.flag, text) if self.form.read is not None else text

    def _help(self) -> str:
        said = self.form.help or self.docstring.rstrip(".")
        facts = [fact for fact in (_bounds(self.schema), self._default(), self._repeatable()) if fact]
        whole = f"{said} ({'; '.join(facts)})" if facts else said
        return whole.replace("%", "%%")

    def _default(self) -> str:
        default = self.schema.get("default")
        if default is True:
            return "on by default: this turns it off"
        if isinstance(default, float):
            return f"default: {default:g}"
        return f"default: {default}" if isinstance(default, int | str) and default is not False else ""

    def _repeatable(self) -> str:
        return "may be repeated" if self.form.argparse == REPEATABLE else ""


def _bounds(schema: Mapping[str, Any]) -> str:
    # Pydantic says `ge` and `le` of a type that has a validator of its own, `minimum` and `maximum` of others.
    least = schema.get("minimum", schema.get("ge"))
    most = schema.get("maximum", schema.get("le"))
    if least is not None and most is not None:
        return f"{least} to {most}"
    if least is not None:
        return f"{least} or more"
    return f"more than {schema['exclusiveMinimum']}" if "exclusiveMinimum" in schema else ""


@cache
def spec_options(kind: type[Spec] = Spec) -> tuple[Option, ...]:
    """The option of each field of the spec and of its value objects, in the order of the source."""
    schema = kind.model_json_schema()
    modules = {each.__module__ for each in (kind, *ValueObject.__subclasses__())}
    said = {
        name: fields for module in modules for name, fields in field_docstrings(sys.modules[module]).items()
    }
    return tuple(_options("", schema, schema["$defs"], said))


def _options(
    value_object: str,
    schema: Mapping[str, Any],
    definitions: Mapping[str, Any],
    docstrings: Mapping[str, Mapping[str, str]],
) -> Iterator[Option]:
    for name, nullable in schema["properties"].items():
        field_name = f"{value_object}.{name}" if value_object else name
        value = _without_null(nullable)
        if "$ref" in value and field_name not in BY_HAND:
            definition = definitions[value["$ref"].rpartition("/")[2]]
            yield from _options(field_name, definition, definitions, docstrings)
        else:
            said = docstrings.get(schema["title"], {}).get(name, "")
            yield Option(field_name, value, said, required=name in schema.get("required", ()))


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value that is there; that it may be left out shows in its default."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return {**schema, **kinds[0]} if kinds else dict(schema)


def field_docstrings(module: ModuleType) -> dict[str, dict[str, str]]:
    """What stands below each field of each class of a module, by class and field; nothing where there is no source.

    Pydantic would read it while the classes are made (`use_attribute_docstrings`), which each DAG file would pay for.
    """
    try:
        source = inspect.getsource(module)
    except OSError:
        return {}
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return {each.name: dict(_below_fields(each)) for each in classes}


def _below_fields(of: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for statement, below in pairwise(of.body):
        match statement, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as said)):
                yield name, " ".join(said.split())


def add_spec_options(parser: argparse.ArgumentParser, *, or_request: bool = False) -> None:
    """Add the options of a job, those of each value object as a group of their own.

    Args:
        parser: of a command.
        or_request: whether a file of what was asked before may be named in the place of the options that a job needs.
    """
    needed = [option.written for option in spec_options() if option.required]
    either = [option.written for option in spec_options() if option.field in EITHER]
    usage = f"{' '.join(needed)} ({' | '.join(either)})"
    parser.usage = f"%(prog)s {f'(--request FILE | {usage})' if or_request else usage} [OPTION ...]"
    groups = {"": parser.add_argument_group("job")}
    required: list[argparse.Action] = []
    for option in spec_options():
        name = option.value_object
        if name not in groups:
            groups[name] = parser.add_argument_group(name)
        added = groups[name].add_argument(option.flag, **option.arguments())
        required += [added] if option.required else []
    if or_request:
        groups[""].add_argument(
            "--request",
            metavar="FILE",
            action=_instead_of(required),
            help="Begin with the options of a run before, as its state folder has them in requests/; those given beside win",
        )
    groups[""].add_argument(
        "--labels",
        metavar="A,B,C",
        help="One of these is the answer; where a label has a comma, see --schema",
    )
    groups["settings"].add_argument(
        "--settings",
        metavar="JSON",
        help='All of them at once, such as {"temperature": 0, "max_tokens": 2000}',
    )


def _instead_of(required: Sequence[argparse.Action]) -> type[argparse.Action]:
    """What is done where the option is met that stands for others: a parser, which is made for one call, asks for these no more."""

    class Instead(argparse.Action):
        def __call__(
            self,
            parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's signature
            namespace: argparse.Namespace,
            values: Any,
            option_string: str | None = None,  # noqa: ARG002 - argparse's signature
        ) -> None:
            setattr(namespace, self.dest, values)
            for action in required:
                action.required = False

    return Instead


def spec_of(options: argparse.Namespace, given: Given | None = None) -> Spec:
    """The spec that the options describe.

    Args:
        options: of the command.
        given: of a run before, with which it begins; None for nothing.

    Raises:
        BadInput: a file is missing or holds no JSON, or a value is out of range.
    """
    all_settings = _all_settings(options.settings)
    values: dict[str, Any] = {"settings": dict(all_settings)}
    for option in spec_options():
        text = getattr(options, option.dest)
        if text is None:
            continue
        siblings = values
        *value_objects, name = option.field.split(".")
        for value_object in value_objects:
            siblings = siblings.setdefault(value_object, {})
        if name in siblings:
            raise BadInput(option.flag, "it is in --settings, too", "Drop one of them")
        siblings[name] = option.read(text)
    if options.labels is not None:
        if options.schema is not None:
            problem = "a label or an object of --schema: an answer is either"
            raise BadInput("--labels", problem, "Drop one of them")
        values["output_type"] = option_values.labels("--labels", options.labels)
    if given is not None:
        values = _beside(given, values)
    _check_budget(values.get("budget") or {})
    try:
        return Spec(**values)
    except BadInput as error:
        # Each setting alone is sound, and what is wrong with it beside others is said where it was written, too.
        section, _, name = error.field.partition(".")
        if section == "settings" and name in all_settings:
            raise _inside_settings(name, error) from None
        raise


def _beside(given: Given, values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a run before, with others in the place of those that are given now.

    Raises:
        BadInput: those of before are none that this version knows, or one that was left out is not given now.
    """
    _check_given(given)
    _check_left_out(given, values)
    _check_asks_the_same(given, values)
    merged = dict(given.values)
    for rivals in RIVALS:
        # Of arguments that say one thing in several ways, one that is given now stands in the place of all of before.
        if any(values.get(name) is not None for name in rivals):
            merged = {name: value for name, value in merged.items() if name not in rivals}
    for name, value in values.items():
        before = merged.get(name)
        if name in ADDED_TO and isinstance(before, dict):
            merged[name] = {**before, **value}
        else:
            merged[name] = value
    return merged


def _check_left_out(given: Given, values: Mapping[str, Any]) -> None:
    """Refuse a request that lacks something which nobody gives now."""
    # A variable that was left out is told by the prompt that names it.
    for option in spec_options():
        if option.field in given.left_out and not _holds(values, option.field):
            problem = f"{given.path} does not hold it: it may have held a password, or what no JSON can"
            raise BadInput(option.flag, problem, "Give it beside --request")


def _check_asks_the_same(given: Given, values: Mapping[str, Any]) -> None:
    """Refuse a request of which everything would be asked, and paid for, anew."""
    asks_otherwise = any(values.get(name) for name in ("output_type", "tools"))
    if given.asks_the_same or asks_otherwise:
        return
    problem = (
        f"{given.path} is of a run with a pydantic class that says what no JSON Schema can, such as a decimal"
    )
    raise BadInput("--request", problem, "Run it from Python, where the class is, or give --schema beside it")


def _check_given(given: Given) -> None:
    """Refuse what only the file can be to blame for, before an option is named that nobody wrote."""
    left_out_or_not = {"source": "in", "destination": "out"}
    try:
        Spec(**(left_out_or_not | dict(given.values)))
    except BadInput as error:
        problem = f"{given.path} does not fit this version: {error.field}: {error.problem}"
        raise BadInput("--request", problem, "Give the options themselves") from None
    except TypeError:
        raise BadInput("--request", f"{given.path} is damaged", "Give the options themselves") from None


def _holds(values: Mapping[str, Any], field_name: str) -> bool:
    *above, name = field_name.split(".")
    siblings = values.get(above[0], {}) if above else values
    return siblings.get(name) is not None


def _check_budget(budget: Mapping[str, Any]) -> None:
    """Name the option that makes no budget alone, which the value object cannot: it does not know the options."""
    if budget and "usd" not in budget and "tokens" not in budget:
        flag = as_option(f"budget.{next(iter(budget))}")
        problem = "it needs --budget-usd or --budget-tokens: alone it bounds nothing"
        raise BadInput(flag, problem, "Give one of these, too, or leave it out")


def _all_settings(text: str | None) -> dict[str, Any]:
    """The settings in `--settings`, which are checked alone, so that an error names the option that was written."""
    if text is None:
        return {}
    settings = option_values.json_object("--settings", text)
    try:
        Settings(**settings)
    except BadInput as error:
        raise _inside_settings(error.field.removeprefix("settings."), error) from None
    return settings


def _inside_settings(name: str, error: BadInput) -> BadInput:
    return BadInput(_inside("--settings", name), error.problem, error.remedy.replace("settings.", ""))


def as_option(field_name: str) -> str:
    """The option of the field that an error names, and what is wrong inside of its value: `--model-profile (magic)`.

    A name that is no field's stays as it is.
    """
    flags = {option.field: option.flag for option in spec_options()} | {"settings": "--settings"}
    parts = field_name.split(".")
    for length in range(len(parts), 0, -1):
        flag = flags.get(".".join(parts[:length]))
        if flag is not None:
            inside = ".".join(parts[length:])
            return _inside(flag, inside) if inside else flag
    return field_name


def _inside(flag: str, key: str) -> str:
    """A key of the JSON that is the value of an option, as an error names it."""
    return f"{flag} ({key})"


def is_inside_json(named: str) -> bool:
    """Whether what an error names, as `as_option` spells it, is a key of the JSON that is the value of an option."""
    return named.startswith("--") and named.endswith(")")


def earlier_flags() -> dict[str, str]:
    """The options that are called otherwise by now, by the names that they had."""
    flags = {option.field: option.flag for option in spec_options()}
    earlier = {
        f"--{old.rpartition('.')[2].replace('_', '-')}": flags[now]
        for old, now in NOW.items()
        if now in flags
    }
    return {old: new for old, new in earlier.items() if old not in flags.values()}
