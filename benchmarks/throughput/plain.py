"""Train one child as most people would write it: a process of its own, a DataLoader, float32, torch's default threads.

    python benchmarks/throughput/plain.py TASK.npz ARCHITECTURE.json SEED

The recipe is that of `search`, constant for constant, so that the rewards are comparable; only how it is computed is
plain. Prints a line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

from ambient.child import SEARCH
from ambient.child.metrics import auroc
from ambient.child.seeding import enriched_filters, first_filters, seed_first_filters
from ambient.data.task import TaskData
from ambient.space import Architecture


class WindowDataset(Dataset):
    """One-hot windows; those for training are shifted and flipped at random."""

    def __init__(self, task: TaskData, split: int, augment: bool) -> None:
        rows = np.flatnonzero(task.split == split)
        self.codes = np.asarray(task.codes)[rows]
        self.labels = torch.tensor(np.asarray(task.labels)[rows], dtype=torch.float32)
        self.width, self.augment = task.window_bp, augment

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        middle = self.codes.shape[1] // 2 - self.width // 2
        reach = SEARCH.shift_bp if self.augment else 0
        start = middle + int(torch.randint(-reach, reach + 1, ()))
        codes = self.codes[index, start : start + self.width]
        window = torch.from_numpy((codes == np.arange(4)[:, None]).astype(np.float32))
        if self.augment and torch.rand(()) < 0.5:
            window = window.flip(0, 1)
        return window, self.labels[index]


def scores_of(network: nn.Module, loader: DataLoader) -> np.ndarray:
    """Give the logits of all windows, both strands averaged."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(x) + network(x.flip(1, 2)) for x, _ in loader])[:, 0].numpy()


def main() -> None:
    """Train and print the metrics."""
    task = TaskData.load(Path(sys.argv[1]))
    architecture = Architecture.from_dict(json.loads(Path(sys.argv[2]).read_text()))
    torch.manual_seed(int(sys.argv[3]))
    training = WindowDataset(task, 0, augment=True)
    positive = training.labels[:, 0] > 0.5
    network = architecture.build(task.window_bp, 1)
    seed_filters(network, training, positive.numpy())
    # Every class at its own share, as many windows an epoch as the recipe says.
    sampler = WeightedRandomSampler(torch.ones(len(training)), SEARCH.windows_per_epoch)
    loader = DataLoader(training, SEARCH.batch_size, sampler=sampler, drop_last=True)
    judged = {
        name: DataLoader(WindowDataset(task, split, augment=False), 256)
        for name, split in (("validation", 1), ("test", 2))
    }
    optimiser = torch.optim.AdamW(
        network.parameters(), SEARCH.learning_rate, weight_decay=SEARCH.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        SEARCH.learning_rate,
        total_steps=SEARCH.epochs * len(loader),
        pct_start=SEARCH.warm_up,
        cycle_momentum=False,
    )
    loss_of = nn.BCEWithLogitsLoss()
    best, kept = -1.0, network.state_dict()
    truth = {name: loader.dataset.labels[:, 0].numpy() for name, loader in judged.items()}
    for epoch in range(SEARCH.epochs):
        network.train()
        for windows, labels in loader:
            optimiser.zero_grad()
            loss_of(network(windows), labels).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
        if epoch + 1 > SEARCH.keep_from * SEARCH.epochs:
            reached = auroc(truth["validation"], scores_of(network, judged["validation"]))
            if reached is not None and reached >= best:
                best = reached
                kept = {key: value.clone() for key, value in network.state_dict().items()}
    network.load_state_dict(kept)
    test = auroc(truth["test"], scores_of(network, judged["test"]))
    print(json.dumps({"validation_auroc": best, "test_auroc": test}))


def seed_filters(network: nn.Module, training: WindowDataset, positive: np.ndarray) -> None:
    """Start the first filters from enriched words, as `search` does."""
    first = first_filters(network)
    if first is not None:
        weight, dilation, strands = first
        count = round(len(weight) * SEARCH.seeded_filters / strands)
        middle = training.codes.shape[1] // 2 - training.width // 2
        codes = training.codes[:, middle : middle + training.width]
        found = enriched_filters(
            codes[positive], codes[~positive], weight.shape[2], dilation, count
        )
        seed_first_filters(weight, found, strands)


if __name__ == "__main__":
    main()
