"""`python -m scorers.training.prepare`: data into tokenised, labelled rows."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
from tokenizers import Tokenizer
from tqdm import tqdm

from scorers.training.config import Config, load_config
from scorers.training.examples import (
    Example,
    bucket,
    faithfulness_example,
    is_allowed,
    is_held,
    licence_classes,
    read_rows,
    toxicity_example,
)
from scorers.training.generate import corrupted, foreign, injections, trigger_words
from scorers.training.labelled_rows import LabelledRow, faithfulness_labelled, toxicity_labelled
from scorers.training.pretrained import encoder_folder
from scorers.types import Row, Side

_HELD_QUESTIONS = 30
_NLI = {"mnli", "mnli_mm", "snli_dev", "cad_nli"}


def load_examples(config: Config, task: str, source: str) -> list[Example]:
    """A source's usable examples, shuffled by the seed."""
    classes = licence_classes(config.data)
    make = toxicity_example if task == "toxicity" else faithfulness_example
    rows = read_rows(config.data / task / "train" / f"{source}.parquet")
    examples = [make(row) for row in rows if is_allowed(row, classes)]
    examples = [e for e in examples if e.labels and e.subject.text.strip()]
    random.Random(f"{config.seed}:{source}").shuffle(examples)
    return examples


def split_examples(config: Config, examples: list[Example]) -> tuple[list[Example], list[Example]]:
    """The training part and the part held back for calibration, split by group."""
    held = [is_held(e, seed=config.seed, percent=config.held_percent) for e in examples]
    train = [e for e, is_out in zip(examples, held, strict=True) if not is_out]
    return train, [e for e, is_out in zip(examples, held, strict=True) if is_out]


def toxicity_part(config: Config) -> list[LabelledRow]:
    """Rows of the toxicity task, with the generated prompts."""
    rng, made = random.Random(config.seed), list[LabelledRow]()
    benign: list[str] = []
    for source, cap in tqdm(config.toxicity.items(), desc="toxicity"):
        train, _ = split_examples(config, load_examples(config, "toxicity", source))
        rows = [row for e in train[: drawn(cap)] for row in toxicity_labelled(e, rng)]
        rng.shuffle(rows)
        made += rows[: cap or len(rows)]
        if source.endswith("_benign") or source == "openassistant_sample":
            benign += [e.subject.text for e in train if e.subject.side is Side.PROMPT]
    made += injections(benign, config.generated["injections"], rng)
    made += trigger_words(config.generated["trigger_words"], rng)
    made += plain_questions(config)[: config.generated["questions"]]
    return made


def questions(config: Config, *, held: bool) -> list[str]:
    """BoolQ's questions, as harmless prompts; three in ten are held back."""
    found = {e.subject.prompt for e in load_examples(config, "faithfulness", "boolq_yesno")}
    chosen = [q for q in sorted(found) if (bucket(q, config.seed) < _HELD_QUESTIONS) is held]
    random.Random(config.seed).shuffle(chosen)
    return chosen


def plain_questions(config: Config) -> list[LabelledRow]:
    """Short yes-or-no questions as harmless prompts."""
    labels = {"toxic": 0.0, "harm": 0.0, "injection": 0.0}
    chosen = questions(config, held=False)
    return [LabelledRow(Row(text), labels, "boolq_questions") for text in chosen]


def drawn(cap: int) -> int | None:
    """How many of a toxicity source's training examples rows are drawn from."""
    return 2 * cap or None


def faithfulness_part(config: Config) -> list[LabelledRow]:
    """Rows of the faithfulness task, with the generated damage."""
    rng, made = random.Random(config.seed), list[LabelledRow]()
    passages: list[Example] = []
    for source, cap in tqdm(config.faithfulness.items(), desc="faithfulness"):
        train, _ = split_examples(config, load_examples(config, "faithfulness", source))
        rows = faithfulness_labelled(train, rng)
        rng.shuffle(rows)
        made += balance_rows(rows, ratio=2.0 if source in _NLI else 1.4)[: cap or len(rows)]
        passages += [e for e in train if len(e.subject.context[0]) > 300]
    rng.shuffle(passages)
    made += corrupted(passages, config.generated["corrupted"], rng)
    told = [e for e in passages if e.labels["unsupported"] < 0.5]
    return made + foreign(told, config.generated["foreign"] * 4, rng)[: config.generated["foreign"]]


def balance_rows(rows: list[LabelledRow], *, ratio: float) -> list[LabelledRow]:
    """Rows with the larger class of `unsupported` cut to `ratio` times the smaller."""
    bad = [row for row in rows if row.labels["unsupported"] >= 0.5]
    good = [row for row in rows if row.labels["unsupported"] < 0.5]
    limit = int(ratio * min(len(bad), len(good))) if bad and good else len(rows)
    keep = {id(row) for row in bad[:limit]} | {id(row) for row in good[:limit]}
    return [row for row in rows if id(row) in keep]


def tokenise(
    rows: list[LabelledRow], config: Config, tokenizer: Tokenizer
) -> dict[str, np.ndarray]:
    """Flat arrays: `ids` and `types` with `offsets`, `labels` (NaN unknown), `weights`."""
    tokenizer.enable_truncation(config.max_tokens)
    tokenizer.no_padding()
    pairs = [r.row.text if r.row.pair is None else (r.row.text, r.row.pair) for r in rows]
    encoded = tokenizer.encode_batch(pairs)
    labels = np.array([[r.labels.get(h, np.nan) for h in config.heads] for r in rows], np.float32)
    return {
        "ids": np.concatenate([np.array(e.ids, np.int32) for e in encoded]),
        "types": np.concatenate([np.array(e.type_ids, np.int8) for e in encoded]),
        "offsets": np.cumsum([0, *(len(e.ids) for e in encoded)]),
        "labels": labels,
        "weights": np.array([r.weight for r in rows], np.float32),
    }


def summary(rows: list[LabelledRow], arrays: dict[str, np.ndarray], heads: tuple[str, ...]) -> str:
    """Rows, tokens and positives by source and head, as text."""
    lengths = np.diff(arrays["offsets"])
    tokens, counts = Counter[str](), Counter[str]()
    for row, length in zip(rows, lengths, strict=True):
        tokens[row.source] += int(length)
        counts[row.source] += 1
    lines = [f"{name} rows {counts[name]} tokens {tokens[name]}" for name in counts]
    known = {h: ~np.isnan(arrays["labels"][:, i]) for i, h in enumerate(heads)}
    for i, head in enumerate(heads):
        bad = int((arrays["labels"][known[head], i] >= 0.5).sum())
        lines.append(f"head {head}: {int(known[head].sum())} rows, {bad} bad")
    return "\n".join([*lines, f"all: {len(rows)} rows, {int(lengths.sum())} tokens"])


def main() -> None:
    """Writes `rows.npz` and `rows.txt` into the work folder."""
    config = load_config()
    config.work.mkdir(parents=True, exist_ok=True)
    rows = toxicity_part(config) + faithfulness_part(config)
    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    arrays = tokenise(rows, config, tokenizer)
    np.savez(config.work / "rows.npz", **arrays)
    text = summary(rows, arrays, config.heads)
    (config.work / "rows.txt").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
