"""TRL itself reads the exports: loaded with `datasets`, trained on for a few steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage import migrate
from storage.exports.run import export_file
from storage.records import ComparisonRecord, FeedbackRecord, InteractionRecord
from storage.store import Store
from tests.storage.building import choice, exchange, preference, thumb
from tests.training import tiny_chat

# What the libraries of training warn of is theirs.
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("default")]

STEPS = 2
PLACES = ("Kiel", "Bergen", "Leith", "Cádiz")


def tool(name: str, argument: str) -> dict[str, Any]:
    """A function of one argument."""
    parameters = {"type": "object", "properties": {argument: {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def calls(name: str, arguments: str) -> dict[str, Any]:
    """A reply that only calls."""
    function = {"name": name, "arguments": arguments}
    call = {"id": "c1", "type": "function", "function": function}
    return choice(None, message={"content": None, "tool_calls": [call]}, delivered="")


def judged(at: int) -> list[InteractionRecord | FeedbackRecord | ComparisonRecord]:
    """One prompt's exchanges and what was said of them: plain talk or calls, by turns."""
    place = PLACES[at % len(PLACES)]
    asked: list[Any] = [{"role": "user", "content": f"High tide in {place}, day {at}?"}]
    if at % 3 == 0:
        request = {"messages": [{"role": "system", "content": "Be brief."}, *asked]}
        good = exchange(f"At {at}:30.", prompt_hash=f"{at:032x}", request=request)
        bad = exchange("Who knows.", prompt_hash=f"{at:032x}", request=request)
        return [good, bad, thumb(good, "up"), thumb(bad, "down")]
    # Arguments differ in name and type from row to row, as they do in life.
    name, arguments = ("tide", f'{{"at":"{place}"}}') if at % 3 == 1 else ("day", '{"number":3}')
    asked += [calls("clock", "{}")["message"] | {"role": "assistant"}]
    asked += [{"role": "tool", "tool_call_id": "c1", "content": "noon"}]
    offered = [tool("clock", "zone"), tool(name, "at" if name == "tide" else "number")]
    request = {"messages": asked, "tools": offered}
    good = exchange(prompt_hash=f"{at:032x}", request=request, choices=[calls(name, arguments)])
    bad = exchange("No idea.", prompt_hash=f"{at:032x}", request=request)
    return [good, bad, preference(good, bad), thumb(good, "up"), thumb(bad, "down")]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with judged exchanges."""
    import asyncio

    path = tmp_path_factory.mktemp("store") / "fairlead.db"
    url = f"sqlite+aiosqlite:///{path}"
    asyncio.run(fill(url))
    return url


async def fill(url: str) -> None:
    """Migrates a database and stores what was judged."""
    await migrate.upgrade(url)
    store = await Store.open(url)
    async with store.writing() as unit:
        for at in range(12):
            for record in judged(at):
                match record:
                    case InteractionRecord():
                        await unit.interactions.add(record)
                    case FeedbackRecord():
                        await unit.feedback.add(record)
                    case ComparisonRecord():
                        await unit.comparisons.add(record)
    await store.close()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is asked of a hub, and caches are this test's."""
    import datasets

    datasets.disable_progress_bars()
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    yield
    datasets.enable_progress_bars()


async def dataset(url: str, name: str, path: Path) -> Any:
    """An export as `datasets` loads it."""
    from datasets import load_dataset

    store = await Store.open(url)
    await export_file(store, name, path)
    await store.close()
    kind = "parquet" if path.suffix == ".parquet" else "json"
    return load_dataset(kind, data_files=str(path), split="train")


def trained(trainer: type, config: type, data: Any, folder: Path) -> Any:
    """The trainer after its steps."""
    reader = tiny_chat.tokenizer()
    args = config(
        output_dir=str(folder / "out"),
        max_steps=STEPS,
        per_device_train_batch_size=4,
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        max_length=256,
    )
    is_compared = config.__name__ in ("DPOConfig", "KTOConfig")
    ran = trainer(
        model=tiny_chat.model(reader, is_reward=config.__name__ == "RewardConfig"),
        args=args,
        **({"ref_model": tiny_chat.model(reader)} if is_compared else {}),
        processing_class=reader,
        train_dataset=data,
    )
    ran.train()
    return ran


def trainers() -> dict[str, tuple[Callable[[], tuple[type, type]], int]]:
    """How each format's trainer is had, and how many rows its export has."""

    def dpo() -> tuple[type, type]:
        from trl import DPOConfig, DPOTrainer

        return DPOTrainer, DPOConfig

    def kto() -> tuple[type, type]:
        from trl import KTOConfig, KTOTrainer

        return KTOTrainer, KTOConfig

    def reward() -> tuple[type, type]:
        from trl import RewardConfig, RewardTrainer

        return RewardTrainer, RewardConfig

    def sft() -> tuple[type, type]:
        from trl import SFTConfig, SFTTrainer

        return SFTTrainer, SFTConfig

    return {"dpo": (dpo, 12), "kto": (kto, 24), "reward": (reward, 12), "sft": (sft, 12)}


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", trainers())
async def test_trl_trains_on_an_export(url: str, tmp_path: Path, *, name: str, ending: str) -> None:
    """The trainer of each format takes the file as it is, makes its steps and has a loss."""
    import math

    load, rows = trainers()[name]
    data = await dataset(url, name, tmp_path / f"{name}.{ending}")
    assert len(data) == rows

    ran = trained(*load(), data, tmp_path)

    losses = [entry["loss"] for entry in ran.state.log_history if "loss" in entry]
    assert ran.state.global_step == STEPS
    assert len(losses) == STEPS
    assert all(math.isfinite(loss) for loss in losses)
    assert len(ran.train_dataset) == rows
