"""`python -m scorers.training.train`: trains for a set wall-clock time, resumes where it stopped.

The learning rate falls linearly to zero at the end of the time, so that a run ends well on a
machine of any speed. While it runs, a file `minutes` in the work folder replaces the time, and a
file `stop` lets the rate fall to zero within the next forty steps.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from scorers.training.batches import Batch, Rows
from scorers.training.config import Config, load_config
from scorers.training.network import Network

_ROWS_PER_STEP = 30.0
_STOP_STEPS = 40


@dataclass
class Progress:
    """Where a run is: steps and batches done, seconds spent, and when it was told to stop."""

    step: int = 0
    epoch: int = 0
    index: int = 0
    seconds: float = 0.0
    tokens: int = 0
    stop_step: int | None = None
    losses: deque[float] = field(default_factory=lambda: deque(maxlen=100))


def masked_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Binary cross-entropy over the labels that are known, summed, by a fixed number of rows."""
    labels = torch.from_numpy(batch.labels)
    known = ~torch.isnan(labels)
    weights = torch.from_numpy(batch.weights).unsqueeze(-1) * known
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, labels.nan_to_num(0.0), reduction="none"
    )
    return (losses * weights).sum() / _ROWS_PER_STEP


def rate_share(progress: Progress, config: Config, minutes: float) -> float:
    """The learning rate as a share of its peak: a short rise, then straight down to zero."""
    done = progress.seconds / (60.0 * minutes)
    share = min(
        1.0, done / config.train.warmup_share, (1.0 - done) / (1.0 - config.train.warmup_share)
    )
    if progress.stop_step is not None:
        share *= 1.0 - (progress.step - progress.stop_step) / _STOP_STEPS
    return max(0.0, share)


def planned_minutes(config: Config) -> float:
    """The wall-clock plan, which a file `minutes` may change during the run."""
    file = config.work / "minutes"
    return float(file.read_text()) if file.exists() else config.train.minutes


def save(
    path: Path, network: Network, optimiser: torch.optim.Optimizer, progress: Progress
) -> None:
    """Writes a checkpoint, whole or not at all."""
    part = path.with_suffix(".part")
    state = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "progress": asdict(progress),
    }
    torch.save(state, part)
    part.replace(path)


def step(network: Network, optimiser: torch.optim.Optimizer, batch: Batch, share: float) -> float:
    """One optimiser step at a share of the peak rates; the loss."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * share
    logits, _ = network(*(torch.from_numpy(part) for part in (batch.ids, batch.mask, batch.types)))
    loss = masked_loss(logits, batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return loss.item()


def run(config: Config) -> None:
    """Trains until the time is up; leaves `last.pt` in the work folder."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.train.threads)
    rows, path = Rows(config.work / "rows.npz"), config.work / "last.pt"
    network = Network(len(config.heads), frozen_layers=config.train.frozen_layers)
    plan = config.train
    groups = network.groups(rate=plan.peak_rate, head_rate=plan.head_rate, decay=plan.weight_decay)
    optimiser = torch.optim.AdamW(list(groups), lr=0.0, betas=(0.9, 0.98))
    progress = Progress()
    if path.exists():
        state: dict[str, Any] = torch.load(path, weights_only=False)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        progress = Progress(**state["progress"])
    network.train()
    loop(config, rows, network, optimiser, progress)
    save(path, network, optimiser, progress)


def loop(
    config: Config,
    rows: Rows,
    network: Network,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Steps through epochs until the learning rate has come to zero."""
    bar = tqdm(total=100.0, desc="train", unit="%", mininterval=20)
    while True:
        batches = rows.plan(
            seed=config.seed, epoch=progress.epoch, batch_tokens=config.train.batch_tokens
        )
        for index in batches[progress.index :]:
            began = time.monotonic()
            share = rate_share(progress, config, planned_minutes(config))
            if share <= 0.0 and progress.step:
                return
            batch = rows.batch(index)
            progress.losses.append(step(network, optimiser, batch, share or 1e-3))
            progress.step += 1
            progress.index += 1
            progress.tokens += int(batch.mask.sum())
            progress.seconds += time.monotonic() - began
            report(bar, config, progress, len(batches))
            if progress.step % config.train.checkpoint_every_steps == 0:
                save(config.work / "last.pt", network, optimiser, progress)
            if progress.stop_step is None and (config.work / "stop").exists():
                progress.stop_step = progress.step
        progress.epoch, progress.index = progress.epoch + 1, 0


def report(bar: tqdm[Any], config: Config, progress: Progress, batches: int) -> None:
    """Moves the bar and shows loss and speed."""
    done = 100.0 * progress.seconds / (60.0 * planned_minutes(config))
    if progress.step % 20 == 0:
        bar.n = round(min(100.0, done), 1)
        speed = progress.tokens / max(1.0, progress.seconds)
        bar.set_postfix(
            loss=f"{np.mean(progress.losses):.4f}",
            tok_s=f"{speed:.0f}",
            step=progress.step,
            epoch=f"{progress.epoch + progress.index / batches:.2f}",
        )


def main() -> None:
    """Runs the training of the configuration."""
    run(load_config())


if __name__ == "__main__":
    main()
