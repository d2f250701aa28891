from __future__ import annotations

import importlib

import pytest

from runware_provider import testing


def test_every_public_name_is_there_listed_and_the_same_as_in_its_module():
    for name in testing.__all__:
        value = getattr(testing, name)
        assert name in dir(testing)
        home = getattr(value, "__module__", None)
        if home is not None:
            assert getattr(importlib.import_module(home), name) is value


def test_a_name_that_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'Server'"):
        testing.Server  # noqa: B018 - looking it up is the test
