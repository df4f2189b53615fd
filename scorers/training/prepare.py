"""`python -m scorers.training.prepare [STAGE]...`: data into tokenised, labelled rows, by stage."""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from tqdm import tqdm

from scorers.builtin.toxicity import toxicity_rows
from scorers.training.config import TASKS, Config, Stage, load_config
from scorers.training.examples import (
    Example,
    bucket,
    faithfulness_example,
    is_allowed,
    is_held,
    licence_classes,
    read_rows,
    sycophancy_example,
    toxicity_example,
    view_example,
)
from scorers.training.generate import corrupted, foreign, injections, trigger_words
from scorers.training.guard import guard
from scorers.training.labelled_rows import (
    LabelledRow,
    faithfulness_labelled,
    sycophancy_labelled,
    toxicity_labelled,
)
from scorers.training.made.abuse import abuse
from scorers.training.made.attacks import attacks
from scorers.training.made.blunt import blunt
from scorers.training.made.corruptions import corruptions
from scorers.training.made.danger import danger
from scorers.training.made.dialogues import dialogues
from scorers.training.made.hedging import hedging
from scorers.training.made.moderation import moderation
from scorers.training.made.records import records
from scorers.training.made.scenes import scenes
from scorers.training.made.sycophancy import sycophancy
from scorers.training.made.views import views
from scorers.training.pretrained import encoder_folder
from scorers.types import Row, Side

_HELD_QUESTIONS = 30
_WATCHED = 40
_VIEWS = 1200
_NLI = {"mnli", "mnli_mm", "snli_dev", "cad_nli"}
_READERS: dict[str, Callable[[dict[str, Any]], Example]] = {
    "toxicity": toxicity_example,
    "faithfulness": faithfulness_example,
    "sycophancy": sycophancy_example,
}


def load_examples(config: Config, task: str, source: str) -> list[Example]:
    """A source's usable examples, none of them measured on, shuffled by the seed."""
    classes, make, measured = licence_classes(config.data), _READERS[task], guard(config.data)
    rows = read_rows(config.data / task / "train" / f"{source}.parquet")
    examples = [make(row) for row in rows if is_allowed(row, classes, config.licences)]
    examples = [e for e in examples if e.labels and e.subject.text.strip()]
    examples = [e for e in examples if not measured.is_measured(e)]
    random.Random(f"{config.seed}:{source}").shuffle(examples)
    return examples


def split_examples(config: Config, examples: list[Example]) -> tuple[list[Example], list[Example]]:
    """The training part and the part held back for calibration, split by group."""
    held = [is_held(e, seed=config.seed, percent=config.held_percent) for e in examples]
    train = [e for e, is_out in zip(examples, held, strict=True) if not is_out]
    return train, [e for e, is_out in zip(examples, held, strict=True) if is_out]


def training_examples(config: Config, task: str, source: str) -> list[Example]:
    """What training may see of a source."""
    return split_examples(config, load_examples(config, task, source))[0]


def reply_part(config: Config, stage: Stage, task: str) -> list[LabelledRow]:
    """Rows of the toxicity or the sycophancy task, each source cut to its share."""
    rng, made = random.Random(f"{config.seed}:{stage.name}:{task}"), list[LabelledRow]()
    label = toxicity_labelled if task == "toxicity" else sycophancy_labelled
    for source, cap in tqdm(stage.sources.get(task, {}).items(), desc=task):
        train = training_examples(config, task, source)
        rows = [row for e in train[: drawn(cap)] for row in label(e, rng)]
        rng.shuffle(rows)
        made += rows[: cap or len(rows)]
        if task == "sycophancy":
            made += view_rows(train, rng)[:_VIEWS]
    return made


def view_rows(examples: Sequence[Example], rng: random.Random) -> list[LabelledRow]:
    """The distinct prompts of sycophancy examples, labelled by whether they state a view."""
    found = [view for e in examples if (view := view_example(e)) is not None]
    distinct = list({view.subject.text: view for view in found}.values())
    rng.shuffle(distinct)
    return [LabelledRow(toxicity_rows(e.subject)[0], e.labels, e.source) for e in distinct]


def questions(config: Config, *, held: bool) -> list[str]:
    """BoolQ's questions, as harmless prompts; three in ten are held back."""
    found = {e.subject.prompt for e in load_examples(config, "faithfulness", "boolq_yesno")}
    chosen = [q for q in sorted(found) if (bucket(q, config.seed) < _HELD_QUESTIONS) is held]
    random.Random(config.seed).shuffle(chosen)
    return chosen


def plain_questions(config: Config) -> list[LabelledRow]:
    """Short yes-or-no questions as harmless prompts."""
    labels = {"toxic": 0.0, "harm": 0.0, "injection": 0.0, "view": 0.0}
    chosen = questions(config, held=False)
    return [LabelledRow(Row(text), labels, "boolq_questions") for text in chosen]


def drawn(cap: int) -> int | None:
    """How many of a source's training examples rows are drawn from."""
    return 2 * cap or None


def faithfulness_part(config: Config, stage: Stage) -> list[LabelledRow]:
    """Rows of the faithfulness task: one a sentence."""
    rng, made = random.Random(f"{config.seed}:{stage.name}:faithfulness"), list[LabelledRow]()
    for source, cap in tqdm(stage.sources.get("faithfulness", {}).items(), desc="faithfulness"):
        rows = faithfulness_labelled(training_examples(config, "faithfulness", source), rng)
        rng.shuffle(rows)
        made += balance_rows(rows, ratio=2.0 if source in _NLI else 1.4)[: cap or len(rows)]
    return made


def balance_rows(rows: list[LabelledRow], *, ratio: float) -> list[LabelledRow]:
    """Rows with the larger class of `unsupported` cut to `ratio` times the smaller."""
    bad = [row for row in rows if row.labels["unsupported"] >= 0.5]
    good = [row for row in rows if row.labels["unsupported"] < 0.5]
    limit = int(ratio * min(len(bad), len(good))) if bad and good else len(rows)
    keep = {id(row) for row in bad[:limit]} | {id(row) for row in good[:limit]}
    return [row for row in rows if id(row) in keep]


def benign_prompts(config: Config) -> list[str]:
    """Harmless prompts of the chat sources, to plant commands in."""
    chat = [s for s in config.sources("toxicity") if s.endswith("_benign")]
    return [
        e.subject.text
        for source in [*chat, "openassistant_sample"]
        for e in training_examples(config, "toxicity", source)
        if e.subject.side is Side.PROMPT
    ]


def passages(config: Config) -> list[Example]:
    """Examples with a context of some length, to damage sentences of."""
    return [
        example
        for source in config.sources("faithfulness")
        for example in training_examples(config, "faithfulness", source)
        if len(example.subject.context[0]) > 300
    ]


def generated_part(config: Config, stage: Stage) -> list[LabelledRow]:
    """Rows that no source has."""
    wanted = stage.generated
    rng, made = random.Random(f"{config.seed}:{stage.name}:generated"), list[LabelledRow]()
    if "injections" in wanted:
        made += injections(benign_prompts(config), wanted["injections"], rng)
    made += trigger_words(wanted.get("trigger_words", 0), rng)
    if "questions" in wanted:
        made += plain_questions(config)[: wanted["questions"]]
    if "corrupted" in wanted or "foreign" in wanted:
        found = passages(config)
        rng.shuffle(found)
        made += corrupted(found, wanted.get("corrupted", 0), rng)
        told = [e for e in found if e.labels["unsupported"] < 0.5]
        count = wanted.get("foreign", 0)
        made += foreign(told, 4 * count, rng)[:count]
        made += faithfulness_labelled(corruptions(found, wanted.get("claims", 0), rng), rng)
    made += faithfulness_labelled(records(wanted.get("records", 0), rng), rng)
    made += faithfulness_labelled(dialogues(wanted.get("dialogues", 0), rng), rng)
    return made + written_part(config, wanted, rng)


def written_part(
    config: Config, wanted: Mapping[str, int], rng: random.Random
) -> list[LabelledRow]:
    """Rows that are written from nothing, and attacks planted in harmless texts."""
    made = [
        *abuse(wanted.get("abuse", 0), rng),
        *danger(wanted.get("danger", 0), rng),
        *moderation(wanted.get("moderation", 0), rng),
        *scenes(wanted.get("scenes", 0), rng),
        *blunt(wanted.get("blunt", 0), rng),
    ]
    if "attacks" in wanted:
        made += attacks(wanted["attacks"], rng, benign_prompts(config))
    for example in sycophancy(wanted.get("sycophancy", 0), rng):
        made += sycophancy_labelled(example, rng)
    for example in [*views(wanted.get("views", 0), rng), *hedging(wanted.get("hedging", 0), rng)]:
        made += toxicity_labelled(example, rng)
    return made


def stage_rows(config: Config, stage: Stage) -> list[LabelledRow]:
    """All rows of a stage."""
    return [
        *reply_part(config, stage, "toxicity"),
        *reply_part(config, stage, "sycophancy"),
        *faithfulness_part(config, stage),
        *generated_part(config, stage),
    ]


def held_rows(config: Config) -> list[LabelledRow]:
    """Rows of held-back examples, a few of each source, to watch a training run by."""
    rng, made = random.Random(config.seed), list[LabelledRow]()
    for task in TASKS:
        for source in config.sources(task):
            _, held = split_examples(config, load_examples(config, task, source))
            rows = (
                faithfulness_labelled(held[:_WATCHED], rng)
                if task == "faithfulness"
                else [row for e in held[:_WATCHED] for row in toxicity_labelled(e, rng)]
            )
            made += rng.sample(rows, k=min(_WATCHED, len(rows)))
    return made


def tokenise(
    rows: list[LabelledRow], config: Config, tokenizer: Tokenizer
) -> dict[str, np.ndarray]:
    """Flat arrays: `ids` and `types` with `offsets`, `labels` (NaN unknown), `weights`.

    `source` holds for each row the index of its source in `names`.
    """
    tokenizer.enable_truncation(config.max_tokens)
    tokenizer.no_padding()
    pairs = [r.row.text if r.row.pair is None else (r.row.text, r.row.pair) for r in rows]
    encoded = tokenizer.encode_batch(pairs)
    labels = np.array([[r.labels.get(h, np.nan) for h in config.heads] for r in rows], np.float32)
    names, source = np.unique([r.source for r in rows], return_inverse=True)
    return {
        "ids": np.concatenate([np.array(e.ids, np.int32) for e in encoded]),
        "types": np.concatenate([np.array(e.type_ids, np.int8) for e in encoded]),
        "offsets": np.cumsum([0, *(len(e.ids) for e in encoded)]),
        "labels": labels,
        "weights": np.array([r.weight for r in rows], np.float32),
        "source": source,
        "names": names,
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


def write_stage(config: Config, stage: Stage, tokenizer: Tokenizer) -> str:
    """Writes a stage's rows and their summary into the work folder; the summary."""
    rows = stage_rows(config, stage)
    arrays = tokenise(rows, config, tokenizer)
    np.savez(config.rows_file(stage), **arrays)
    text = summary(rows, arrays, config.heads)
    config.rows_file(stage).with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    return text


def write_held(config: Config, tokenizer: Tokenizer) -> None:
    """Writes the held-back rows that training watches."""
    np.savez(config.work / "rows-held.npz", **tokenise(held_rows(config), config, tokenizer))


def main() -> None:
    """Writes `rows-STAGE.npz` of every stage, or of those named, and `rows-held.npz`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", nargs="*", help="names of stages; all unless told")
    options = parser.parse_args()
    config = load_config()
    config.work.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    for stage in config.stages:
        if stage.name in (options.stage or [stage.name]):
            print(f"stage {stage.name}\n{write_stage(config, stage, tokenizer)}", flush=True)
    write_held(config, tokenizer)


if __name__ == "__main__":
    main()
