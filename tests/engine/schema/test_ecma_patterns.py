"""What expressions mean: by the text of ECMA-262 (22.2, with the flag `u`), and by Python where both say the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.answer_schema import output_schema


def matches(pattern: str, text: str) -> bool:
    """Whether an answer with this text fits."""
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": pattern}}}
    return output_schema(schema).fit({"x": text}).problems == []


MEANINGS = [
    # `.` is any character but the four ends of lines, and a character is a code point.
    ("^.$", ["a", "\U0001f600", "\x85"], ["\n", "\r", "\u2028", "\u2029", "ab", ""]),
    ("^[^]$", ["a", "\n"], [""]),
    ("^[]$", [], ["", "a"]),
    # `$` is the very end, and there are no lines.
    ("^a$", ["a"], ["a\n", "\na", "b\na"]),
    ("^a\\\n$", ["a\n"], ["a"]),
    # Digits, words and their edges are of ASCII, blanks of Unicode.
    (r"^\d$", ["1"], ["\u0661", "a"]),
    (r"^\D$", ["\u0661", "a"], ["1"]),
    (r"^\w$", ["a", "_", "7"], ["\u00e9", "-"]),
    (r"^[\W]$", ["\u00e9", "-"], ["a", "_"]),
    (
        r"^\s$",
        [*"\t\n\v\f\r \u00a0\u1680\u2003\u2028\u202f\u205f\u3000\ufeff"],
        ["\x85", "\u180e", "\u200b", "a"],
    ),
    (r"^[\S]$", ["\x85", "\u180e", "a"], [" ", "\ufeff"]),
    (r"a\b", ["a", "a-", "a\u00e9"], ["ab", "a1"]),
    (r"a\B", ["ab"], ["a", "a\u00e9"]),
    (r"^[\d\D]$", ["1", "a", "\n"], [""]),
    # Classes hold what stands in them, and there is no arithmetic of classes.
    ("^[a&&b]$", ["a", "&", "b"], ["c"]),
    ("^[[a]$", ["[", "a"], ["]"]),
    ("^[[:alpha:]]$", ["a]", ":]", "[]"], ["z", "z]"]),
    ("^[a~~b]$", ["a", "~"], ["c"]),
    ("^[-a]$", ["-", "a"], ["b"]),
    ("^[a-]$", ["-", "a"], ["b"]),
    (r"^[a\-c]$", ["-", "a", "c"], ["b"]),
    (r"^[\w-.]$", ["a", "-", "."], ["+"]),
    (r"^[a-\d]$", ["a", "-", "5"], ["b"]),
    (r"^[\b]$", ["\b"], ["b"]),
    (r"^[\]\\]$", ["]", "\\"], ["a"]),
    (r"^[^^]$", ["a"], ["^"]),
    # Characters by number.
    (r"^\cJ\cj$", ["\n\n"], ["JJ"]),
    (r"^\0\x41\u0042\u{43}$", ["\0ABC"], ["0ABC"]),
    (r"^\u{1F600}$", ["\U0001f600"], ["u"]),
    (r"^\uD83D\uDE00$", ["\U0001f600"], []),
    (r"^[\uD83C\uDF00-\uD83D\uDDFF]$", ["\U0001f30d"], ["\U0001f600"]),
    (r"^\t\n\v\f\r$", ["\t\n\v\f\r"], []),
    # Properties of Unicode.
    (r"^\p{L}+$", ["Gr\u00f6\u00dfe"], ["a1"]),
    (r"^\p{Letter}\P{Letter}$", ["a1"], ["ab"]),
    (r"^[\p{Lu}\d]+$", ["\u00c41"], ["\u00e4"]),
    (r"^\p{Script=Greek}\p{sc=Grek}$", ["\u03b1\u03b2"], ["ab"]),
    (r"^\p{General_Category=Decimal_Number}$", ["\u0661"], ["a"]),
    (r"^\p{Emoji_Presentation}$", ["\U0001f600"], ["a"]),
    # Groups, with or without a name or a flag.
    ("^(?<year>[0-9]{4})-(?:0|1)$", ["2026-0"], ["2026-2"]),
    ("^(?<$a>a)$", ["a"], ["$a"]),
    ("^(?i:a)b$", ["ab", "Ab"], ["AB"]),
    ("^(?i:a(?-i:b))$", ["Ab"], ["AB"]),
    # Repetitions.
    ("^a{2}$", ["aa"], ["a", "aaa", "a{2}"]),
    ("^a{2,}?b??$", ["aa", "aaab"], ["a"]),
    ("^(?:a|b)*?c$", ["c", "abc"], ["ab"]),
    (r"^\p{L}{1,500}$", ["a" * 500], ["a" * 501]),
    ("^.{1,5000}$", ["a" * 5000], [""]),
    # Marks that need no backslash, and brackets that close nothing.
    (r"^\-\_\@\:\ \#\/$", ["-_@: #/"], []),
    ("^]}$", ["]}"], []),
    ("^x{a}$", ["x{a}"], []),
    ("^a b#c$", ["a b#c"], ["abc"]),
    ("", ["", "a"], []),
]


@pytest.mark.parametrize(("pattern", "fitting", "others"), MEANINGS, ids=[meaning[0] for meaning in MEANINGS])
def test_a_pattern_means_what_ecma_says(pattern: str, fitting: list[str], others: list[str]) -> None:
    assert [text for text in fitting if not matches(pattern, text)] == []
    assert [text for text in others if matches(pattern, text)] == []


@pytest.mark.parametrize(
    ("pattern", "problem", "remedy"),
    [
        ("(?i)a", r"does not know `\(\?i`", r"\(\?i:\.\.\.\)"),
        ("(?x)a b", r"does not know `\(\?x`", "without blanks"),
        ("(?ims)a", r"does not know `\(\?i`", r"\(\?i:\.\.\.\)"),
        ("(?s:.)", r"does not know `\(\?s`", r"\[\^\]"),
        ("(?P<n>a)", r"does not know `\(\?P`", r"\(\?<name>\.\.\.\)"),
        ("(?#c)a", r"does not know `\(\?#`", "Drop"),
        ("(?>a)", r"does not know `\(\?>`", r"\(\?:\.\.\.\)"),
        (r"\Aa", r"does not know `\\A`", r"\^"),
        (r"a\Z", r"does not know `\\Z`", r"\$"),
        (r"a\z", r"does not know `\\z`", r"\$"),
        (r"\a", r"does not know `\\a`", r"\\x07"),
        (r"[\q]", r"does not know `\\q`", "Mend"),
        (r"\pL", r"does not know `\\p`", r"\\p\{L\}"),
        (r"\x{41}", r"does not know `\\x`", "two hexadecimal"),
        (r"\u12", r"does not know `\\u`", "four hexadecimal"),
        ("\\", r"does not know `\\`", "Mend"),
        (r"\01", r"does not know `\\0`", "Mend"),
        ("a{,3}", "no lowest number", r"\{0,3\}"),
        ("a{3,2}", "ends before it begins", "Mend"),
        ("a**", "nothing that `\\*` could repeat", "Mend"),
        ("a++", "nothing that `\\+` could repeat", "Mend"),
        ("a{2}{3}", r"nothing that `\{3\}` could repeat", "Mend"),
        ("^*", "nothing that `\\*` could repeat", "Mend"),
        ("(?=a)*", "nothing that `\\*` could repeat", "Mend"),
        ("a|*", "nothing that `\\*` could repeat", "Mend"),
        ("[b-a]", "ends before it begins", "Mend"),
        ("[a", "bracket is not closed", "Mend"),
        ("[a-", "bracket is not closed", "Mend"),
        ("(", "group is not closed", "Mend"),
        (")", "closed that was not opened", "Mend"),
        (r"\u{110000}", "no character 110000", "Mend"),
        (r"\ud83d", "half of a surrogate pair", r"\\u\{\.\.\.\}"),
        (r"[\ud800-\udfff]", "half of a surrogate pair", r"\\u\{\.\.\.\}"),
        (r"\p{Nope}", r"`\\p\{Nope\}`, which Unicode does not know", "name"),
        (r"(?:\p{L}{1000}){1000}", "too large", "less often"),
    ],
)
def test_what_ecma_does_not_know_is_refused_by_name_with_what_to_write(
    pattern: str, problem: str, remedy: str
) -> None:
    with pytest.raises(BadInput, match=problem) as refused:
        matches(pattern, "")
    assert re.search(remedy, refused.value.remedy)


ATOMS = st.sampled_from(
    [
        "a",
        "b",
        r"\.",
        r"\-",
        "&",
        "#",
        " ",
        "[ab]",
        "[^ab]",
        "[a-c&-]",
        "[&&a]",
        r"[\]^-]",
        r"\d",
        r"\W",
        r"\s",
        r"[\w.]",
    ]
)
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?"])


def joined(parts: list[tuple[str, str]]) -> str:
    return "".join(atom + repeat for atom, repeat in parts)


SEQUENCES = st.lists(st.tuples(ATOMS, REPEATS), max_size=4).map(joined)
GROUPS = st.tuples(st.sampled_from(["(", "(?:"]), st.lists(SEQUENCES, min_size=1, max_size=3), REPEATS).map(
    lambda group: f"{group[0]}{'|'.join(group[1])}){group[2]}"
)
EXPRESSIONS = st.tuples(
    st.sampled_from(["", "^"]),
    st.lists(SEQUENCES | GROUPS, max_size=4).map("".join),
    st.sampled_from(["", "$", r"\b"]),
).map("".join)


@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
@given(EXPRESSIONS, st.lists(st.text("ab.-&# 1_^]\u00e9", max_size=8), max_size=6))
def test_what_python_and_ecma_both_say_means_the_same(pattern: str, texts: list[str]) -> None:
    known = re.compile(pattern, re.ASCII)
    for text in texts:
        assert matches(pattern, text) is (known.search(text) is not None)
