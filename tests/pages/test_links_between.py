from __future__ import annotations

from urllib.parse import parse_qs, unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.pages.links_between import ON_LEAF, ON_LIST, ON_TASK
from runware_provider.pages.page_parts import way_back
from runware_provider.pages.run_view import URL_PREFIX, TaskAt
from tests.pages.seen import Seen

MOUNTS = [f"https://airflow.example{URL_PREFIX}", f"https://a.example/some/where{URL_PREFIX}"]
# Airflow allows no others in names; a part of nothing but dots would be a step in the path.
NAMES = st.text("abcXYZ019_.~:+-", min_size=1).filter(lambda name: set(name) != {"."})
TASKS = st.builds(TaskAt, NAMES, NAMES, NAMES, st.integers(-1, 1000))
ANY = st.text(st.characters(exclude_categories=["Cs"]))


def pages(mount, at):
    """Each kind of page, with the links on it."""
    task = mount + at.path
    return [(f"{mount}/", ON_LIST), (task, ON_TASK), (f"{task}/failed?reason=x", ON_LEAF)]


@pytest.mark.parametrize("mount", MOUNTS)
@given(at=TASKS, to=TASKS, reason=ANY)
def test_from_every_page_a_link_leads_to_the_same_place(mount, at, to, reason):
    for place, links in pages(mount, at):
        assert urljoin(place, links.to(to)) == mount + to.path
        leaf = urlsplit(urljoin(place, links.to(to, "failed", reason=reason)))
        assert leaf.path == urlsplit(mount).path + to.path + "/failed"
        assert parse_qs(leaf.query, keep_blank_values=True) == {"reason": [reason]}
        assert urljoin(place, links.to_list()) == f"{mount}/"
        assert urljoin(place, links.static("page.css")) == f"{mount}/static/page.css"


@given(at=TASKS)
def test_a_page_of_texts_leads_back_to_its_task(at):
    links = Seen(way_back(at).html()).links
    place = f"{MOUNTS[0]}{at.path}/failed"
    assert [urljoin(place, link) for link in links] == [MOUNTS[0] + at.path, f"{MOUNTS[0]}/"]


@pytest.mark.parametrize("mount", MOUNTS)
@given(at=TASKS)
def test_the_page_of_a_task_in_airflow_is_found_below_its_own_path(mount, at):
    expected = f"{mount.removesuffix(URL_PREFIX)}/dags/{at.dag_id}/runs/{at.run_id}/tasks/{at.task_id}"
    mapped = f"/mapped/{at.map_index}" if at.map_index >= 0 else ""
    for place, links in pages(mount, at):
        assert unquote(urljoin(place, links.airflow(at))) == expected + mapped
