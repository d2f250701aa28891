"""Templates that a record's own values blow up, each rendered in a process with little memory.

`test_bounds.py` runs it; it prints each template that is not refused.
"""

from __future__ import annotations

import itertools
import resource
import sys
from typing import TYPE_CHECKING, Any

from runware_provider.engine.errors import BadInput
from runware_provider.engine.templates.prompt import Prompt, Skip
from runware_provider.engine.templates.sandbox import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD: dict[str, Any] = {
    "n": 9_000_000,
    "turns": 11_000,
    "unit": "x" * 1000,
    "text": "a" * 100_000,
    "lines": ["a\na"] * 10_000,
    "texts": ["y" * 1_000_000],
    "deep": [["z" * 100_000]],
    "percent": "%(a)s" * 4900,
    "braces": "{0}" * 2000,
}
_REPEATED = "[record.unit] * record.n"
_LOOP = "{% for i in range(record.turns) %}"
_NEST = f"{_LOOP}{_LOOP}"


def _collected(start: str, step: str, end: str) -> str:
    return (
        f"{{% set ns = namespace(t={start}) %}}{_LOOP}{{% set ns.t = {step} %}}{{% endfor %}}{{{{ {end} }}}}"
    )


TEMPLATES = [
    f"{{{{ {_REPEATED} }}}}",
    f"{{{{ {_REPEATED} | join }}}}",
    f"{{{{ {_REPEATED} | tojson }}}}",
    f"{{{{ ', '.join({_REPEATED}) }}}}",
    "{{ {'a': 1} | tojson(indent=record.n) }}",
    "{{ [record.texts] * 600 }}",
    "{{ ([record.unit] * 9000 ~ '') * 9 }}",
    "{{ record.lines | map('indent', record.n, true) | join }}",
    "{{ record.lines | map('indent', record.n, true) | list | length }}",
    "{{ record.lines | map('replace', 'a', record.text) | join }}",
    "{% for x in record.lines | map('replace', 'a', record.text) | sort %}{% endfor %}",
    "{{ record.lines | map(attribute='x', default=record.text) | sort }}",
    "{{ record.lines | groupby('x', default=record.text) }}",
    "{{ record.percent | format(a=record.texts) }}",
    "{{ record.percent % {'a': record.texts} }}",
    "{{ record.percent % {'a': record.deep} }}",
    "{{ record.braces.format(record.texts) }}",
    "{{ '{:>{}}'.format(record.unit, record.n) }}",
    "{{ '{:{}}'.format(record.unit, record.text) }}",
    f"{{% set x %}}{_LOOP}{{{{ record.unit }}}}{{% endfor %}}{{% endset %}}{{{{ x | length }}}}",
    f"{{% set x %}}{_NEST}x{{% endfor %}}{{% endfor %}}{{% endset %}}{{{{ x | length }}}}",
    f"{{% set x | upper %}}{_LOOP}{{{{ record.unit }}}}{{% endfor %}}{{% endset %}}{{{{ x | length }}}}",
    f"{{% macro m() %}}{_NEST}x{{% endfor %}}{{% endfor %}}{{% endmacro %}}{{{{ m() | length }}}}",
    f"{{% block b %}}{{% if record.n %}}{_NEST}x{{% endfor %}}{{% endfor %}}{{% endif %}}{{% endblock %}}",
    f"{{% filter upper %}}{_LOOP}{{{{ record.unit }}}}{{% endfor %}}{{% endfilter %}}",
    f"{{% macro m() %}}{{{{ caller() }}}}{{% endmacro %}}{{% call m() %}}{_NEST}x{{% endfor %}}{{% endfor %}}{{% endcall %}}",
    _collected("'xy'", "ns.t ~ ns.t", "ns.t"),
    _collected("'xy'", "ns.t + ns.t", "ns.t"),
    _collected("['xy']", "ns.t + ns.t", "ns.t"),
    _collected("['xy']", "[ns.t, ns.t]", "ns.t"),
    _collected("['xy']", "[ns.t, ns.t]", "ns.t | tojson"),
    _collected("['xy']", "[ns.t, ns.t]", "ns.t | upper"),
    _collected("['xy']", "[ns.t, ns.t]", "'%s' % [ns.t]"),
    _collected("['xy']", "dict(a=ns.t, b=ns.t)", "ns.t | string"),
    _collected("'xy'", "[ns.t, record.text[1:]]", "1"),
    _collected("'xy'", "[ns.t, record.text.upper()]", "1"),
    _collected("'xy'", "[ns.t, record.text | upper]", "1"),
    _collected("'xy'", "[ns.t, record.text ~ i]", "1"),
    _collected("'xy'", "[ns.t, '%s%s' % (i, record.text)]", "1"),
    _collected("'xy'", "[ns.t, '{}{}'.format(i, record.text)]", "1"),
    _collected("'xy'", "[ns.t, record.text | list]", "1"),
    _collected("'xy'", "[ns.t, record.lines * 99]", "1"),
]


MEMORY = 1_500_000_000
VALUES = ["n", "text", "lines", "percent"]


def everything() -> Iterator[str]:
    """Every operator, filter and method of a text, with a record's values as its sides and arguments."""
    for operator in ("+", "*", "%", "**", "~"):
        yield f"{{{{ record.left {operator} record.right }}}}"
    for name in sorted(SANDBOX.filters):
        yield f"{{{{ record.left | {name}(record.right) }}}}"
        yield f"{{{{ record.left | {name}('a', record.right) }}}}"
        yield f"{{{{ [record.left] * 9 | map('{name}', 'a', record.right) | list }}}}"
    for name in dir(str):
        if not name.startswith("_"):
            yield f"{{{{ record.left.{name}(record.right) }}}}"
            yield f"{{{{ record.left.{name}('a', record.right) }}}}"


def out_of_memory(template: str) -> bool:
    """Whether some two of the record's values are too much for a template."""
    try:
        prompt = Prompt(template, {}, ["left", "right"])
    except BadInput:
        return False
    pairs = itertools.product(VALUES, VALUES)
    fates = (prompt.render({"left": RECORD[left], "right": RECORD[right]}) for left, right in pairs)
    return any(isinstance(fate, Skip) and "MemoryError" in fate.message for fate in fates)


def main() -> None:
    """Print each bomb that is not refused, and whatever else runs out of memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for template in TEMPLATES:
        fate = Prompt(template + "{{ record.n }}", {}, list(RECORD)).render(RECORD)
        if not isinstance(fate, Skip) or "MemoryError" in fate.message:
            sys.stdout.write(template + "\n")
    for template in filter(out_of_memory, everything()):
        sys.stdout.write(template + "\n")


if __name__ == "__main__":
    main()
