"""`python -m scorers.training.speed`: what the heads cost, and what int8 gains.

Times the checkpoint's graphs on the CPU, all in turn in each round, on a reply of 128 tokens alone
and in a batch of eight: the int8 graph, the same without its heads, and the fp32 graph. Prints the
median milliseconds of each and the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Mapping

import numpy as np
import onnxruntime as ort

from scorers.training.config import Config, load_config
from scorers.training.export import checkpoint_weights
from scorers.training.graph import build, without_heads
from scorers.training.pretrained import attention_heads

_TOKENS = 128
_RUNS = 8
Times = Mapping[str, list[float]]


def sessions(config: Config, threads: int) -> dict[str, ort.InferenceSession]:
    """The graphs to compare, ready to run."""
    weights = checkpoint_weights(config.weights_file)
    shape = {"max_tokens": config.max_tokens, "attention_heads": attention_heads()}
    int8 = build(weights, precision="int8", **shape)
    models = {
        "int8": int8,
        "encoder": without_heads(int8),
        "fp32": build(weights, precision="fp32", **shape),
    }
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # it would tell of the heads' weights that are left over
    return {
        name: ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        for name, model in models.items()
    }


def timed(found: Mapping[str, ort.InferenceSession], *, rows: int, rounds: int) -> Times:
    """Milliseconds of one run of each session, a median of several, in each round."""
    ids = np.random.default_rng(0).integers(1000, 20_000, (rows, _TOKENS))
    feed = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
    }
    times: dict[str, list[float]] = {name: [] for name in found}
    for turn in range(rounds + 1):
        for name, session in found.items():
            runs = []
            for _ in range(_RUNS):
                began = time.perf_counter()
                session.run(None, feed)
                runs.append(1e3 * (time.perf_counter() - began))
            if turn:
                times[name].append(statistics.median(runs))
    return times


def lines(times: Times, rows: int) -> Iterator[str]:
    """The figures of one batch size as rows of a Markdown table."""
    middle = {name: statistics.median(own) for name, own in times.items()}
    heads = statistics.median(a / b for a, b in zip(times["int8"], times["encoder"], strict=True))
    gain = statistics.median(a / b for a, b in zip(times["fp32"], times["int8"], strict=True))
    cells = [f"{middle[name]:.1f}" for name in ("encoder", "int8", "fp32")]
    yield f"| {rows} × {_TOKENS} tokens | {' | '.join(cells)} | {heads:.2f} | {gain:.2f} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    found = sessions(load_config(), options.threads)
    print("| batch | encoder, ms | all heads, ms | fp32, ms | heads ÷ encoder | fp32 ÷ int8 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for rows in (1, 8):
        for line in lines(timed(found, rows=rows, rounds=options.rounds), rows):
            print(line, flush=True)


if __name__ == "__main__":
    main()
