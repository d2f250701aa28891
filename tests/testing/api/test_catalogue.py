from __future__ import annotations

import msgspec
import pytest

from runware_provider.testing.api.catalogue import MODELS, per_token, read_models

JSON_MODE = {
    "claude-fable-5",
    "gemini-3.1-flash-lite",
    "gemini-3.5-flash",
    "gpt-5-mini",
    "gpt-5-nano",
    "gpt-5.5",
    "deepseek-v4-flash",
    "kimi-k2.6",
}


def test_json_mode_is_known_to_the_models_that_the_contract_lists():
    assert {model.id for model in MODELS if model.json_mode} == JSON_MODE


def test_the_vendors_model_has_the_prices_and_the_context_that_were_seen():
    pro = next(model for model in MODELS if model.id == "deepseek-v4-pro")
    assert (pro.prompt, pro.completion, pro.cached, pro.context_length) == (0.961, 1.922, 0.079, 1_048_576)


def test_a_price_per_token_is_written_without_an_exponent():
    assert per_token(0.961) == "0.000000961"
    assert float(per_token(15.0)) == 15e-6


def test_a_catalogue_is_read_from_a_file(tmp_path):
    file = tmp_path / "models.json"
    file.write_text('[{"id": "m", "name": "M", "prompt": 2}]', encoding="utf-8")
    (model,) = read_models(file)
    assert (model.id, model.prompt, model.json_mode) == ("m", 2, False)


def test_a_catalogue_with_an_unknown_field_is_refused(tmp_path):
    file = tmp_path / "models.json"
    file.write_text('[{"id": "m", "name": "M", "price": 2}]', encoding="utf-8")
    with pytest.raises(msgspec.ValidationError, match="price"):
        read_models(file)
