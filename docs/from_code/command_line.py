"""The options of the command line, command by command."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from from_code.markdown import described, sentence
from runware_provider.engine.cli_options import parser
from runware_provider.quality.cli import add_commands

if TYPE_CHECKING:
    from collections.abc import Mapping


def commands() -> Mapping[str, argparse.ArgumentParser]:
    """The commands by name; one that has verbs by the name of each verb."""
    found: dict[str, argparse.ArgumentParser] = {}
    for name, command in _below(parser(add_commands)).items():
        verbs = _below(command)
        found |= {f"{name} {verb}": below for verb, below in verbs.items()} if verbs else {name: command}
    return found


def _below(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions = command._actions  # noqa: SLF001 - argparse tells it nowhere else
    choices = [dict(one.choices) for one in actions if isinstance(one, argparse._SubParsersAction)]  # noqa: SLF001 - as above
    return choices[0] if choices else {}


def options(command: argparse.ArgumentParser) -> list[argparse.Action]:
    """A command's options but `--help`."""
    return [option for group in command._action_groups for option in _options(group)]  # noqa: SLF001 - as above


def command_line(name: str) -> str:
    """The options of a command, those of each group below the group's name."""
    known = commands()
    groups = known[name]._action_groups  # noqa: SLF001 - as above
    # The verbs take the options of `run`, and a few of their own.
    shown = {one.dest for one in options(known["run"])} if " " in name else set()
    return "\n\n".join(filter(None, (_described(group, shown) for group in groups)))


def _options(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [one for one in group._group_actions if one.option_strings and one.dest != "help"]  # noqa: SLF001 - as above


def _described(group: argparse._ArgumentGroup, shown: set[str]) -> str:
    """A group's options, without those that are shown elsewhere; nothing where none is left."""
    listed = [one for one in _options(group) if one.dest not in shown]
    if not listed:
        return ""
    heading = "" if group.title == "options" else f"**{sentence(group.title or '').rstrip('.')}**"
    entries = [
        described(
            f"{one.option_strings[-1]} {_value(one)}".strip(),
            ("needed" if one.required else "",),
            sentence((one.help or "").replace("%%", "%")),
        )
        for one in listed
    ]
    return "\n\n".join(filter(None, [heading, *entries]))


def _value(option: argparse.Action) -> str:
    if option.nargs == 0:
        return ""
    choices: Any = option.choices
    shown = str(option.metavar or ("|".join(choices) if choices else option.dest.upper()))
    return f"[{shown}]" if option.nargs == "?" else shown
