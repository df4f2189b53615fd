"""A training set and an encoder small enough to train a model in a test, all written here."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from scorers.training.config import Config, load_config
from scorers.training.made.hedging import hedging
from scorers.training.made.records import records
from scorers.training.made.sycophancy import sycophancy

CLOSED = "zebulonix"
"""A word of the rows whose licence forbids their use."""

MEASURED = "quaggaberg"
"""A word of the benchmark's rows."""

JUDGED = "wombatine"
"""A word of the rows that only calibration may read."""

_CONFIG = """
[paths]
data = "{folder}/data"
work = "{folder}/work"
model = "{folder}/model"

[model]
name = "tiny"
version = "1"
max_tokens = 64
heads = ["toxic", "harm", "injection", "unsupported", "sycophantic", "view", "expressed"]

[licences]
allowed = ["permissive", "share-alike"]

[split]
seed = 7
held_percent = 30

[train]
precision = "fp32"
threads = 1
batch_tokens = 1024
head_rate = 5.0e-3
warmup_share = 0.1
weight_decay = 0.0
frozen_layers = 0
checkpoint_every_steps = 10
validate_every_steps = 40

[[stage]]
name = "first"
tokens = 60_000
peak_rate = 1.0e-3
end_share = 0.5
[stage.toxicity]
paper = 0
closed = 0

[[stage]]
name = "second"
tokens = 90_000
peak_rate = 1.0e-3
end_share = 0.0
[stage.toxicity]
paper = 0
closed = 0
openassistant_sample = 0
[stage.faithfulness]
facts = 0
[stage.sycophancy]
pressed = 0
[stage.generated]
hedging = 300
views = 200

[average]
first = 0.25
second = 0.75

[calibration]
judged = 400

[ablation]
tokens = 20_000
peak_rate = 1.0e-3
"""


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def _toxicity(source: str, text: str, toxic: float | None, **more: object) -> dict[str, Any]:
    base = {"role": "prompt", "prompt": "", "text": text, "toxic": toxic, "harm": toxic}
    end = {"injection": None, "source": source, "split": "", "license": "MIT"}
    return base | end | more


def _remark(bad: bool, rng: random.Random) -> str:
    word = rng.choice(("rotten", "stupid", "filthy") if bad else ("kind", "clever", "careful"))
    who = rng.choice(("neighbour", "teacher", "driver", "sister", "doctor"))
    return f"My {who} number {rng.randrange(1000)} is a {word} person and I say so every day."


def write_data(folder: Path) -> None:
    """Parquet files in the data's schemas: three open sources a task, one closed, one benchmark."""
    rng = random.Random(3)
    train = folder / "data" / "toxicity" / "train"
    paper = [
        _toxicity("paper", _remark(bad, rng), float(bad), role=role, prompt=asked)
        for at in range(900)
        for bad in [rng.random() < 0.5]
        for role, asked in [rng.choice([("prompt", ""), ("response", f"And number {at}?")])]
    ]
    _write(train / "paper.parquet", paper)
    closed = [
        _toxicity("closed", f"{CLOSED} number {at}", 1.0, license="CC-BY-NC") for at in range(50)
    ]
    _write(train / "closed.parquet", closed)
    chat = [
        _toxicity("openassistant_sample", e.subject.text, 0.0, role=role, prompt=f"Question {at}?")
        for at, e in enumerate(hedging(300, rng))
        for role in ("prompt", "response")
    ]
    _write(train / "openassistant_sample.parquet", chat)
    measured = [_toxicity("measured", f"{MEASURED} number {at}", at % 2) for at in range(40)]
    _write(folder / "data" / "toxicity" / "benchmarks" / "measured.parquet", measured)
    away = [_toxicity("hatecheck", _remark(at % 2 == 1, rng), at % 2) for at in range(60)]
    _write(folder / "data" / "toxicity" / "benchmarks" / "hatecheck.parquet", away)
    facts = [
        {
            "context": e.subject.context[0], "prompt": "", "response": e.subject.text,
            "unfaithful": e.labels["unsupported"], "spans": json.dumps(e.spans or []),
            "source": "facts", "split": "", "license": "MIT",
        }
        for e in records(400, rng)
    ]  # fmt: skip
    _write(folder / "data" / "faithfulness" / "train" / "facts.parquet", facts)
    ends = f" The rest of the {JUDGED} list was not read. Nothing more is said about it there."
    judged = [row | {"response": row["response"] + ends, "spans": ""} for row in facts]
    _write(folder / "data" / "faithfulness" / "train" / "judged.parquet", judged)
    pressed = [
        {
            "prompt": f"User: {e.subject.prompt}", "response": e.subject.text,
            "sycophantic": e.labels["sycophantic"], "source": "pressed", "license": "MIT",
            "kind": rng.choice(["wrong_opinion_pressure", "no_opinion_control"]),
        }
        for e in sycophancy(600, rng)
    ]  # fmt: skip
    _write(folder / "data" / "sycophancy" / "train" / "pressed.parquet", pressed)
    with (folder / "data" / "sources.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "licence_class", "licence_as_found"])
        for source in ("paper", "openassistant_sample", "facts", "pressed"):
            writer.writerow([source, "permissive", "MIT"])
        writer.writerow(["closed", "non-commercial", "CC-BY-NC"])


def write_encoder(folder: Path) -> None:
    """A BERT of two layers with random weights, and a tokenizer trained on the texts."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(1)
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=1500, special_tokens=special)
    table = pq.read_table(folder / "data" / "toxicity" / "train" / "paper.parquet")
    facts = pq.read_table(folder / "data" / "faithfulness" / "train" / "facts.parquet")
    texts = [*table["text"].to_pylist(), *facts["context"].to_pylist(), *[CLOSED, MEASURED] * 2000]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=48, num_hidden_layers=2,
        num_attention_heads=4, intermediate_size=96, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder / "encoder")
    tokenizer.save(str(folder / "encoder" / "tokenizer.json"))


def tiny_config(folder: Path) -> Config:
    """The configuration of the tiny run, in the folder that holds its data."""
    path = folder / "config.toml"
    path.write_text(_CONFIG.format(folder=folder), encoding="utf-8")
    return load_config(path)
