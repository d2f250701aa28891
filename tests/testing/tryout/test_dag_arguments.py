from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from runware_provider.engine.schema.answer_schema import output_schema
from runware_provider.engine.spec import Settings
from runware_provider.testing.tryout import dag_arguments


class Invoice(BaseModel):
    total_amount: float


class ADag:
    def __init__(self, folder: Path) -> None:
        self.folder = str(folder / "dags")
        self.template_searchpath = (str(folder),)


class ATask:
    """What is read of an operator."""

    source, destination, model = "in", "out", "a:model"
    prompt = "p.j2"
    system_prompt = "You read\ninvoices."
    output_type: Any = Invoice
    settings = Settings(temperature=0.0, max_tokens=10)

    def __init__(self, folder: Path) -> None:
        self.dag = ADag(folder)


def read(task: ATask, folder: Path) -> dict[str, str]:
    found = dag_arguments.options(task, folder)
    return dict(zip(found[::2], found[1::2], strict=True))


def test_the_task_becomes_options_and_files_become_paths(tmp_path: Path) -> None:
    (tmp_path / "p.j2").write_text("{{ record.body }}")
    found = read(ATask(tmp_path), tmp_path)
    assert (found["--source"], found["--destination"], found["--model"]) == ("in", "out", "a:model")
    assert found["--prompt"] == str(tmp_path / "p.j2")
    assert found["--system-prompt"] == "You read\ninvoices."
    assert json.loads(found["--settings"]) == {"temperature": 0.0, "max_tokens": 10}


def test_a_models_schema_is_the_one_that_the_operator_sends(tmp_path: Path) -> None:
    written = json.loads(Path(read(ATask(tmp_path), tmp_path)["--schema"]).read_text())
    assert output_schema(written).wire() == output_schema(Invoice).wire()


def test_a_task_for_text_has_no_schema(tmp_path: Path) -> None:
    task = ATask(tmp_path)
    task.output_type = None
    assert "--schema" not in read(task, tmp_path)
