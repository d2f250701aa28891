"""How many connections this process can have open."""

from __future__ import annotations

import resource

import pytest

from runware_provider.engine.api.descriptors import LEAST, connections_possible, possible


@pytest.mark.parametrize(
    ("files", "connections"), [(64, LEAST), (256, LEAST), (1_024, 768), (4_096, 3_072), (1_048_576, 786_432)]
)
def test_a_part_of_the_files_stays_free_for_everything_else(files: int, connections: int) -> None:
    assert possible(files) == connections


def test_the_bound_of_this_process_counts() -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert most == resource.RLIM_INFINITY or connections_possible() == possible(most)
