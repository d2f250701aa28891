"""What arrives for a pydantic model is kept, or it is a misfit, or the row says that something was left out."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Json,
    OnErrorOmit,
    RootModel,
    StringConstraints,
    Tag,
    TypeAdapter,
    computed_field,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.answer_schema import output_schema
from runware_provider.engine.schema.model_watching import watch_of
from runware_provider.engine.schema.problems import MAX_PROBLEMS

UNKNOWN = ("unknown_keys",)
STYLE = ("key_style",)


class Small(BaseModel):
    x: int


class Large(BaseModel):
    x: int
    y: int


class SmallDict(TypedDict):
    x: int


class LargeDict(TypedDict):
    x: int
    y: NotRequired[int]


@pydantic_dataclass
class SmallData:
    x: int


@pydantic_dataclass
class LargeData:
    x: int
    y: int


class OfModels(BaseModel):
    u: Small | Large


class OfDicts(BaseModel):
    u: SmallDict | LargeDict


class OfDataclasses(BaseModel):
    u: SmallData | LargeData


class InAList(BaseModel):
    u: list[Small | Large]


class InAMap(BaseModel):
    u: dict[str, Small | Large]


class OrNothing(BaseModel):
    u: Small | Large | None = None


class InARoot(BaseModel):
    u: RootModel[Small | Large]


@pytest.mark.parametrize(
    ("model", "around"),
    [
        (OfModels, lambda inner: inner),
        (OfDicts, lambda inner: inner),
        (OfDataclasses, lambda inner: inner),
        (OrNothing, lambda inner: inner),
        (InARoot, lambda inner: inner),
        (InAList, lambda inner: [inner]),
        (InAMap, lambda inner: {"k": inner}),
    ],
)
def test_a_key_that_another_alternative_would_have_kept_is_a_misfit(model: Any, around: Any) -> None:
    made = output_schema(model)
    assert made.fit({"u": around({"x": 1, "y": 2})}).problems == []
    assert made.fit({"u": around({"x": 1, "y": None})}).problems == []
    (problem,) = made.fit({"u": around({"x": 1, "y": "unknown"})}).problems
    assert problem.path.startswith("$.u")
    assert "`y` would be lost, being of another alternative" in problem.message
    unknown = made.fit({"u": around({"x": 1, "z": 2})})
    assert (unknown.problems, unknown.mends) == ([], UNKNOWN)


def test_the_model_that_answers_is_told_what_the_other_alternative_lacks() -> None:
    (problem,) = output_schema(OfModels).fit({"u": {"x": 1, "y": "unknown"}}).problems
    assert "$.y: Input should be a valid integer" in problem.message


def test_of_many_misfits_as_many_are_told_as_of_any_value() -> None:
    fit = output_schema(InAList).fit({"u": [{"x": 1, "y": "unknown"}] * 1_000})
    assert len(fit.problems) == MAX_PROBLEMS


class Ends(BaseModel):
    x: int
    z: int | None = None


class Crossed(BaseModel):
    u: Ends | Large


def test_where_each_alternative_would_lose_something_the_answer_is_none() -> None:
    (problem,) = output_schema(Crossed).fit({"u": {"x": 1, "y": 2, "z": 3}}).problems
    assert "give all keys of one alternative" in problem.message


class InOrder(BaseModel):
    u: Annotated[Small | Large, Field(union_mode="left_to_right")]


class Transfer(BaseModel):
    kind: Literal["transfer"]
    iban: str | None = None


class Card(BaseModel):
    kind: Literal["card"]
    digits: str | None = None


class Told(BaseModel):
    u: Annotated[Transfer | Card, Field(discriminator="kind")]


class Named(BaseModel):
    u: Transfer | Card


def kind_of(value: Any) -> str:
    given_kind = value.get("kind") if isinstance(value, dict) else value.kind
    return str(given_kind)


class Called(BaseModel):
    u: Annotated[Annotated[Transfer, Tag("transfer")] | Annotated[Card, Tag("card")], Discriminator(kind_of)]


@pytest.mark.parametrize(
    ("model", "given", "kept"),
    [
        (InOrder, {"x": 1, "y": 2}, {"x": 1, "y": None}),
        (Told, {"kind": "card", "digits": "1", "iban": "D"}, {"kind": "card", "iban": None, "digits": "1"}),
        (Named, {"kind": "card", "digits": "1", "iban": "D"}, {"kind": "card", "iban": None, "digits": "1"}),
        (Called, {"kind": "card", "digits": "1", "iban": "D"}, {"kind": "card", "iban": None, "digits": "1"}),
    ],
)
def test_where_the_user_says_which_alternative_counts_the_keys_of_others_are_counted_as_left_out(
    model: Any, given: Any, kept: Any
) -> None:
    fit = output_schema(model).fit({"u": given})
    assert (fit.value, fit.problems, fit.mends) == ({"u": kept}, [], UNKNOWN)


class Inner(BaseModel):
    p: int


class Wider(BaseModel):
    p: int
    q: int


class First(BaseModel):
    kind: Literal["first"]
    inner: Inner


class Second(BaseModel):
    kind: Literal["second"]
    inner: Wider


class Nested(BaseModel):
    u: First | Second
    pair: tuple[Inner, Wider] | None = None


@pytest.mark.parametrize(
    "given",
    [
        {"u": {"kind": "first", "inner": {"p": 1, "q": 2}}},
        {"u": {"kind": "first", "inner": {"p": 1}}, "pair": [{"p": 1, "q": 2}, {"p": 1, "q": 2}]},
    ],
)
def test_what_is_known_somewhere_at_a_place_is_not_known_everywhere(given: Any) -> None:
    fit = output_schema(Nested).fit(given)
    assert (fit.problems, fit.mends) == ([], UNKNOWN)


class Several(BaseModel):
    vendor: str | None = Field(default=None, validation_alias=AliasChoices("vendor", "supplier"))
    total: int | None = None


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    vendor: str | None = Field(default=None, alias="supplier")
    total: int | None = None


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
    vendor_name: str | None = None
    net_total: int | None = None


class InPart(BaseModel):
    city: str | None = Field(
        default=None, validation_alias=AliasChoices("city", AliasPath("address", "city"))
    )
    total: int | None = None


@pydantic_dataclass(config=ConfigDict(populate_by_name=True))
class DataByName:
    vendor: str | None = Field(default=None, alias="supplier")
    total: int | None = None


class AroundData(BaseModel):
    inner: DataByName


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (Several, {"vendor": "A", "supplier": "B"}),
        (ByName, {"vendor": "A", "supplier": "B"}),
        (Camel, {"vendorName": "A", "vendor_name": "B"}),
        (Camel, {"Vendor-Name": "A", "vendor_name": "B"}),
        (InPart, {"city": "Bonn", "address": {"city": "Ulm"}}),
        (AroundData, {"inner": {"vendor": "A", "supplier": "B"}}),
    ],
)
def test_two_keys_that_are_read_as_the_same_and_differ_are_a_misfit(model: Any, given: Any) -> None:
    (problem,) = output_schema(model).fit(given).problems
    assert "give it once" in problem.message


@pytest.mark.parametrize(
    ("model", "given", "kept", "mends"),
    [
        (Several, {"vendor": "A", "supplier": "A"}, {"vendor": "A", "total": None}, ()),
        (Several, {"vendor": "A", "supplier": None}, {"vendor": "A", "total": None}, ()),
        (Several, {"supplier": "A"}, {"vendor": "A", "total": None}, ()),
        (Several, {"Supplier": "A"}, {"vendor": "A", "total": None}, STYLE),
        (Several, {"SUPPLIER": "A", "Supplier": "A"}, {"vendor": "A", "total": None}, STYLE),
        (ByName, {"vendor": "A"}, {"vendor": "A", "total": None}, ()),
        (ByName, {"Vendor": "A", "Total": 1}, {"vendor": "A", "total": 1}, STYLE),
        (Camel, {"vendor_name": "A", "netTotal": 1}, {"vendor_name": "A", "net_total": 1}, ()),
        (Camel, {"VENDOR_NAME": "A", "Net Total": 1}, {"vendor_name": "A", "net_total": 1}, STYLE),
        (InPart, {"address": {"city": "Ulm"}}, {"city": "Ulm", "total": None}, ()),
        (InPart, {"address": {"city": "Ulm", "zip": "1"}}, {"city": "Ulm", "total": None}, UNKNOWN),
        (InPart, {"City": "Ulm"}, {"city": "Ulm", "total": None}, STYLE),
        (AroundData, {"inner": {"vendor": "A"}}, {"inner": {"vendor": "A", "total": None}}, ()),
        (AroundData, {"inner": {"Vendor": "A"}}, {"inner": {"vendor": "A", "total": None}}, STYLE),
    ],
)
def test_every_name_that_a_model_reads_is_read_in_any_style(
    model: Any, given: Any, kept: Any, mends: Any
) -> None:
    fit = output_schema(model).fit(given)
    assert (fit.value, fit.problems, fit.mends) == (kept, [], mends)


class Line(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    net_total: Decimal = Field(alias="netTotal", max_digits=30, decimal_places=2)


class Lines(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    all_lines: list[Line] = Field(alias="lines")


def test_what_stands_at_a_name_that_was_not_sent_is_read_as_carefully() -> None:
    made = output_schema(Lines, lenient_numbers=True)
    for value in ("1,234.50", "1234.50"):
        fit = made.fit({"all_lines": [{"net_total": value}]})
        assert fit.value == {"all_lines": [{"net_total": Decimal("1234.50")}]}
    (problem,) = made.fit({"all_lines": [{"Sum": "1"}]}).problems[:1]
    assert "nobody asked for" in problem.message


class OfPath(BaseModel):
    city: str = Field(validation_alias=AliasPath("address", "city"))


class Within(BaseModel):
    inner: list[OfPath]


@pytest.mark.parametrize("model", [OfPath, Within])
def test_a_field_that_is_not_read_from_where_it_is_asked_for_is_refused(model: Any) -> None:
    with pytest.raises(
        BadInput, match=r"OfPath\.city is asked for as 'city', and read from 'address.city'"
    ) as refused:
        output_schema(model)
    assert "AliasChoices" in refused.value.remedy


class StoredTwice(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)
    a: int = Field(serialization_alias="c")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def c(self) -> int:
        return self.a


def test_two_fields_that_would_be_stored_as_one_are_refused() -> None:
    with pytest.raises(BadInput, match="two fields of StoredTwice are both stored as 'c'"):
        output_schema(StoredTwice)
    StoredTwice.model_config["serialize_by_alias"] = False
    assert output_schema(StoredTwice).fit({"a": 1}).value == {"a": 1, "c": 1}


class Counts(BaseModel):
    of_numbers: dict[int, str] = {}
    of_days: dict[dt.date, str] = {}
    of_words: dict[Annotated[str, StringConstraints(strip_whitespace=True)], Small] = {}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"of_numbers": {"1": "a", "01": "b"}}, "$.of_numbers"),
        ({"of_days": {"2026-01-01": "a", "2026-01-01T00:00:00": "b"}}, "$.of_days"),
        ({"of_words": {"a": {"x": 1}, " a": {"x": 2}}}, "$.of_words"),
    ],
)
def test_two_keys_of_a_map_that_become_one_are_a_misfit(given: Any, path: str) -> None:
    (problem,) = output_schema(Counts).fit(given).problems
    assert (problem.path, "read as the same" in problem.message) == (path, True)
    assert output_schema(Counts).fit({"of_numbers": {"1": "a", "2": "b"}}).value["of_numbers"] == [
        ("1", "a"),
        ("2", "b"),
    ]


class Omitting(BaseModel):
    numbers: list[OnErrorOmit[int]]


def test_items_that_a_model_leaves_out_are_noted() -> None:
    made = output_schema(Omitting)
    assert made.fit({"numbers": [1, 2]}).mends == ()
    fit = made.fit({"numbers": [1, "x", 2]})
    assert (fit.value, fit.mends) == ({"numbers": [1, 2]}, ("omitted_items",))


class Cleaned(BaseModel):
    x: int = 0
    z: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        if isinstance(value, dict) and "word" in value:
            return {**value, "z": len(value["word"])}
        return value


def unwrapped(value: Any) -> Any:
    return value["items"] if isinstance(value, dict) else value


class AroundCleaned(BaseModel):
    inner: list[Cleaned]
    listed: Annotated[list[Small], BeforeValidator(unwrapped)] = []


@pytest.mark.parametrize(
    ("given", "mends"),
    [
        ({"x": 1}, ()),
        ({"x": 1, "word": "abc"}, ()),
        ({"x": 1, "y": 2}, UNKNOWN),
        ({"x": 1, "word": "abc", "y": 2}, UNKNOWN),
        ({"X": 1, "z": 2}, UNKNOWN),
    ],
)
def test_behind_a_validator_that_comes_first_a_key_that_changes_nothing_is_counted_as_left_out(
    given: Any, mends: Any
) -> None:
    assert output_schema(Cleaned).fit(given).mends == mends
    assert output_schema(AroundCleaned).fit({"inner": [given]}).mends == mends


def test_behind_a_validator_of_a_field_too() -> None:
    made = output_schema(AroundCleaned)
    assert made.fit({"inner": [], "listed": {"items": [{"x": 1}]}}).mends == ()
    assert made.fit({"inner": [], "listed": [{"x": 1, "y": 2}]}).mends == UNKNOWN


class OfText(BaseModel):
    made: Json[Inner]


def test_what_a_text_of_json_holds_is_looked_after_as_well() -> None:
    made = output_schema(OfText)
    assert made.fit({"made": '{"p": 1}'}).mends == ()
    assert made.fit({"made": '{"p": 1, "q": 2}'}).mends == UNKNOWN
    (problem,) = made.fit({"made": '{"p": 1, "p": 2}'}).problems
    assert "occurs twice" in problem.message


class Tree(BaseModel):
    name: str
    leaf: Inner | None = None
    kids: list[Tree] = []


def test_below_a_recursion_left_out_keys_are_counted_too() -> None:
    made = output_schema(Tree, untyped="json")
    assert made.fit({"name": "a", "kids": [{"name": "b", "kids": [{"name": "c"}]}]}).mends == ()
    for inner in ({"name": "b", "age": 1}, {"name": "b", "kids": [{"name": "c", "leaf": {"p": 1, "q": 2}}]}):
        assert made.fit({"name": "a", "kids": [inner]}).mends == UNKNOWN


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


class WithOpen(BaseModel):
    u: Open | Large


@dataclasses.dataclass
class Plain:
    x: int
    seen: list[int] = dataclasses.field(default_factory=list)


class Everything(BaseModel):
    a: int
    of_class: Plain
    of_list: list[Inner]
    of_set: set[int]
    when: dt.datetime | None = None


def test_a_model_that_keeps_all_it_is_given_needs_no_watch() -> None:
    assert watch_of(Everything) is None
    fit = output_schema(WithOpen).fit({"u": {"x": 1, "y": "kept"}})
    assert [problem.path for problem in fit.problems] == ["$.u.y"], (
        "what an open model keeps has to fit the column"
    )


KEYS = st.sampled_from(["x", "y", "z", "kind", "iban", "digits"])
OBJECTS = st.dictionaries(KEYS, st.sampled_from([1, "1", "word", "card", "transfer", None, 2.5]), max_size=4)


@given(st.sampled_from([OfModels, OfDicts, OfDataclasses, Crossed, Told, Named, InOrder]), OBJECTS)
def test_no_value_of_a_union_vanishes_without_a_word(model: Any, inner: dict[str, Any]) -> None:
    fit = output_schema(model).fit({"u": inner})
    if fit.problems or fit.mends:
        return
    dumped = TypeAdapter(model).dump_python(TypeAdapter(model).validate_python({"u": inner}))["u"]
    stored = {key: value for key, value in fit.value["u"].items() if value is not None}
    assert stored.keys() == {key for key, value in inner.items() if value is not None}, dumped


class Defaults(BaseModel):
    city: str = "Bern"


@pytest.mark.parametrize("asked", [Defaults, {"properties": {"city": {"type": "string", "default": "Bern"}}}])
def test_what_defaults_alone_say_nobody_said(asked: Any) -> None:
    fit = output_schema(asked).fit({})
    assert (fit.value, fit.mends, fit.doubt is not None) == ({"city": "Bern"}, ("empty_object",), True)
    assert output_schema(asked).fit({"city": "Bern"}).doubt is None
