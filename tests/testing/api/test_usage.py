from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.testing.api.catalogue import MODELS
from runware_provider.testing.api.usage import BLOCK, PrefixCache, Usage, count_tokens

PRO = MODELS[0]


def test_four_characters_are_a_token_rounded_up():
    assert [count_tokens("x" * n) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_a_million_tokens_cost_the_price_of_the_catalogue():
    assert Usage(1_000_000, 0, 0).cost_nano(PRO) == 961_000_000
    assert Usage(1_000_000, 1_000_000, 0).cost_nano(PRO) == 79_000_000
    assert Usage(0, 0, 1_000_000).cost_nano(PRO) == 1_922_000_000


@given(st.text(max_size=3 * BLOCK), st.text(max_size=BLOCK), st.text(max_size=BLOCK))
def test_never_more_is_cached_than_two_prompts_share(shared, one, other):
    cache = PrefixCache()
    assert cache.cached_tokens("m", shared + one) == 0
    cached = cache.cached_tokens("m", shared + other)
    same = 0
    for a, b in zip(shared + one, shared + other, strict=False):
        if a != b:
            break
        same += 1
    assert cached * 4 <= same


def test_a_repeated_prompt_is_cached_in_whole_blocks_on_its_own_model():
    cache = PrefixCache()
    prompt = "x" * (2 * BLOCK + 7)
    cache.cached_tokens("m", prompt)
    assert cache.cached_tokens("m", prompt) == 2 * BLOCK // 4
    assert cache.cached_tokens("other", prompt) == 0


def test_the_cache_forgets_the_least_recently_used_blocks():
    cache = PrefixCache(size=1)
    cache.cached_tokens("m", "a" * BLOCK)
    cache.cached_tokens("m", "b" * BLOCK)
    assert cache.cached_tokens("m", "a" * BLOCK) == 0
