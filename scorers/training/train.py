"""`python -m scorers.training.train [STAGE]...`: trains stage by stage, resumes where it stopped.

A stage reads a set number of tokens, so equal seeds give equal orders of rows and equal rates; the
sums of parallel arithmetic may differ in their last bits between machines. `last.pt` in the work
folder is the newest checkpoint, `log.jsonl` holds the losses of each head and the validation
figures. A file `stop` in the work folder ends the run after the step that it is in.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from scorers.training.batches import Batch, Rows
from scorers.training.config import Config, Stage, load_config
from scorers.training.metrics import auroc
from scorers.training.network import Network

_ROWS_PER_STEP = 30.0
_LOG_STEPS = 20


@dataclass
class Progress:
    """Where a run is: the stage, its epoch and batch, and what was done so far."""

    stage: int = 0
    epoch: int = 0
    index: int = 0
    stage_tokens: int = 0
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0


@dataclass
class Losses:
    """Running sums of each head's loss since the last log line."""

    sums: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    counts: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, losses: Tensor, weights: Tensor) -> None:
        """Takes in one batch; both of shape (rows, heads)."""
        for head, (total, count) in enumerate(
            zip((losses * weights).sum(0).tolist(), weights.sum(0).tolist(), strict=True)
        ):
            self.sums[head] += total
            self.counts[head] += count

    def flush(self, heads: tuple[str, ...]) -> dict[str, float]:
        """Mean loss of each head that had labels, and a fresh start."""
        means = {
            heads[at]: round(self.sums[at] / self.counts[at], 4)
            for at in sorted(self.sums)
            if self.counts[at] > 0
        }
        self.sums.clear()
        self.counts.clear()
        return means


@dataclass
class Run:
    """Everything that a training run holds."""

    config: Config
    network: Network
    optimiser: torch.optim.Optimizer
    progress: Progress
    device: torch.device
    losses: Losses = field(default_factory=Losses)

    @property
    def checkpoint(self) -> Path:
        """The newest checkpoint."""
        return self.config.work / "last.pt"

    def autocast(self) -> torch.autocast:
        """Mixed precision where the configuration asks for it."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.config.train.precision == "bf16"
        )

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        part = self.checkpoint.with_suffix(".part")
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        torch.save(state, part)
        part.replace(self.checkpoint)

    def log(self, **entry: object) -> None:
        """Appends a line to the log."""
        line = {"step": self.progress.step, "tokens": self.progress.tokens, **entry}
        with (self.config.work / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def open_run(config: Config) -> Run:
    """A run from its last checkpoint, or a new one."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.train.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    plan = config.train
    network = Network(len(config.heads), frozen_layers=plan.frozen_layers).to(device)
    groups = network.groups(rate=1.0, head_rate=plan.head_rate, decay=plan.weight_decay)
    optimiser = torch.optim.AdamW(list(groups), lr=0.0, betas=(0.9, 0.98))
    run = Run(config, network, optimiser, Progress(), device)
    if run.checkpoint.exists():
        state: dict[str, Any] = torch.load(run.checkpoint, map_location=device, weights_only=False)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        run.progress = Progress(**state["progress"])
    return run


def rate_share(done: float, *, warmup: float, end: float) -> float:
    """The rate as a share of its peak when `done` of a stage is behind: up, then straight down."""
    if done < warmup:
        return max(done / warmup, 1e-3)
    return 1.0 - (1.0 - end) * min(1.0, (done - warmup) / (1.0 - warmup))


def set_rates(run: Run, stage: Stage) -> None:
    """The learning rates of the next step; the heads' rate falls with the body's."""
    done = run.progress.stage_tokens / stage.tokens
    share = rate_share(done, warmup=run.config.train.warmup_share, end=stage.end_share)
    for group in run.optimiser.param_groups:
        head = group["peak"] == run.config.train.head_rate
        group["lr"] = share * (group["peak"] if head else stage.peak_rate)


def forward(run: Run, batch: Batch) -> Tensor:
    """Logits of shape (rows, heads), in float32."""
    inputs = (
        torch.from_numpy(part).to(run.device) for part in (batch.ids, batch.mask, batch.types)
    )
    with run.autocast():
        logits, _ = run.network(*inputs)
    return logits.float()


def step(run: Run, batch: Batch) -> None:
    """One optimiser step on binary cross-entropy over the labels that are known.

    Losses are summed and divided by a fixed number of rows, so a label weighs the same in any
    batch.
    """
    labels = torch.from_numpy(batch.labels).to(run.device)
    weights = torch.from_numpy(batch.weights).to(run.device).unsqueeze(-1) * ~torch.isnan(labels)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        forward(run, batch), labels.nan_to_num(0.0), reduction="none"
    )
    ((losses * weights).sum() / _ROWS_PER_STEP).backward()
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
    run.optimiser.step()
    run.optimiser.zero_grad(set_to_none=True)
    run.losses.add(losses.detach(), weights)


def validate(run: Run) -> dict[str, float]:
    """AUROC of each head on held-back rows, nothing where none were prepared."""
    path = run.config.work / "rows-held.npz"
    if not path.exists():
        return {}
    rows, logits, labels = Rows(path), list[NDArray[Any]](), list[NDArray[Any]]()
    run.network.eval()
    with torch.no_grad():
        for index in rows.plan(seed=0, epoch=0, batch_tokens=4096):
            batch = rows.batch(index)
            logits.append(forward(run, batch).cpu().numpy())
            labels.append(batch.labels)
    run.network.train()
    found, truth = np.concatenate(logits), np.concatenate(labels)
    figures = {}
    for at, head in enumerate(run.config.heads):
        known = ~np.isnan(truth[:, at])
        if known.any():
            area = auroc((truth[known, at] >= 0.5).astype(float), found[known, at].astype(float))
            figures |= {} if math.isnan(area) else {head: round(area, 4)}
    return figures


def batches(run: Run, rows: Rows) -> Iterator[NDArray[np.int64]]:
    """Row indices of batch after batch, from where the run stands, without end."""
    progress = run.progress
    while True:
        plan = rows.plan(
            seed=run.config.seed,
            epoch=progress.epoch,
            batch_tokens=run.config.train.batch_tokens,
        )
        for index in plan[progress.index :]:
            yield index
            progress.index += 1
        progress.epoch, progress.index = progress.epoch + 1, 0


def train_stage(run: Run, stage: Stage) -> bool:
    """Trains until the stage's tokens are read; False where it was told to stop."""
    rows, progress, plan = Rows(run.config.rows_file(stage)), run.progress, run.config.train
    bar = tqdm(total=stage.tokens, desc=stage.name, unit="tok", unit_scale=True, mininterval=20)
    bar.n = progress.stage_tokens
    for index in batches(run, rows):
        if progress.stage_tokens >= stage.tokens or (run.config.work / "stop").exists():
            break
        began, batch = time.monotonic(), rows.batch(index)
        set_rates(run, stage)
        step(run, batch)
        tokens = int(batch.mask.sum())
        progress.step += 1
        progress.tokens += tokens
        progress.stage_tokens += tokens
        progress.seconds += time.monotonic() - began
        bar.update(tokens)
        if progress.step % _LOG_STEPS == 0:
            losses = run.losses.flush(run.config.heads)
            run.log(stage=stage.name, seconds=round(progress.seconds), loss=losses)
        if progress.step % plan.validate_every_steps == 0:
            run.log(stage=stage.name, auroc=validate(run))
        if progress.step % plan.checkpoint_every_steps == 0:
            progress.index += 1
            run.save()
            progress.index -= 1
    bar.close()
    return progress.stage_tokens >= stage.tokens


def train(config: Config, names: list[str]) -> None:
    """Runs the stages that are left, or those of them that are named."""
    run = open_run(config)
    run.network.train()
    while run.progress.stage < len(config.stages):
        stage = config.stages[run.progress.stage]
        if names and stage.name not in names:
            return
        done = train_stage(run, stage)
        if done:
            run.log(stage=stage.name, auroc=validate(run))
            torch.save({"network": run.network.state_dict()}, stage_file(config, stage.name))
            run.progress.stage += 1
            run.progress.epoch = run.progress.index = run.progress.stage_tokens = 0
        run.save()
        if not done:
            return
    if config.average:
        torch.save({"network": mean_weights(config)}, config.weights_file)


def stage_file(config: Config, name: str) -> Path:
    """Where the weights at the end of a stage lie."""
    return config.work / f"stage-{name}.pt"


def mean_weights(config: Config) -> dict[str, Tensor]:
    """The mean of the stages' last weights by their shares.

    A mean of weights along one run is often better than each of them on what the later part saw
    less of (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    """
    mean: dict[str, Tensor] = {}
    for name, share in config.average.items():
        state = torch.load(stage_file(config, name), map_location="cpu", weights_only=False)
        for key, value in state["network"].items():
            if value.is_floating_point():
                mean[key] = mean.get(key, torch.zeros_like(value)) + share * value
            else:
                mean[key] = value
    return mean


def main() -> None:
    """Trains what the configuration says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", nargs="*", help="names of stages; all that are left unless told")
    train(load_config(), parser.parse_args().stage)


if __name__ == "__main__":
    main()
