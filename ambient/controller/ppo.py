"""Proximal policy optimisation over architectures, read from top to bottom (after CleanRL)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ambient.controller.policy import Policy
from ambient.errors import RunError

__all__ = [
    "PPOConfig",
    "Step",
    "explained_variance",
    "normalise_advantages",
    "ppo_loss",
    "update",
]


@dataclass(frozen=True)
class PPOConfig:
    """Every constant of the update.

    AMBIENT's reference run used a learning rate of 0.001. The rate, buffer, minibatch and KL limit
    here were chosen for what 500 to 1,000 evaluations achieve, on simulated rewards over
    `ambient-10` (36 training tasks, effects linear in the descriptors, noise 0.01).
    """

    learning_rate: float = 0.003  # of Adam
    clip_ratio: float = 0.2  # a ratio beyond 1 +- this earns nothing more
    entropy_weight: float = 0.01  # bonus for each nat of entropy; keeps choices alive
    buffer_steps: int = 16  # how many recent steps each update learns from
    epochs: int = 4  # passes over the buffer in one update
    minibatch_size: int = 40  # architectures in one gradient step
    kl_limit: float = 0.2  # nats per architecture; a minibatch beyond it ends the update
    gradient_norm: float = 0.5  # longer gradients are shortened to it

    def __post_init__(self) -> None:
        for name in ("buffer_steps", "epochs", "minibatch_size"):
            if getattr(self, name) < 1:
                raise RunError(f"ppo: {name} is {getattr(self, name)}; it must be at least 1")
        for name in ("learning_rate", "clip_ratio", "kl_limit", "gradient_norm"):
            if not getattr(self, name) > 0:
                raise RunError(f"ppo: {name} is {getattr(self, name)}; it must be above 0")
        if self.entropy_weight < 0:
            raise RunError(f"ppo: entropy_weight is {self.entropy_weight}; it must be 0 or above")

    def to_dict(self) -> dict[str, Any]:
        """Give the configuration as a JSON value."""
        return asdict(self)


@dataclass(frozen=True)
class Step:
    """What one step sampled and earned; advantages follow later, from the baselines of then.

    Parameters
    ----------
    tasks : tuple of str, length batch
        The task that each architecture was sampled for.
    descriptors : Tensor, float32, shape (batch, 2 * D)
        What the policy read.
    tokens : Tensor, int64, shape (batch, decisions)
        The architectures.
    log_probabilities : Tensor, float32, shape (batch,)
        Under the policy that sampled them.
    rewards : Tensor, float32, shape (batch,)
        Finite; a failed child has its task's floor.
    """

    tasks: tuple[str, ...]
    descriptors: Tensor
    tokens: Tensor
    log_probabilities: Tensor
    rewards: Tensor


def normalise_advantages(rewards: Tensor, baselines: Tensor) -> Tensor:
    """Centre each reward on its own task's baseline, then scale the batch to unit variance.

    Parameters
    ----------
    rewards : Tensor, float32, shape (batch,)
        Validation AUROC of each sampled architecture, in [0, 1].
    baselines : Tensor, float32, shape (batch,)
        Moving average of the rewards of the task that each architecture was sampled for.

    Returns
    -------
    Tensor, float32, shape (batch,)
        No unit. All zeros where the batch holds no spread (beyond rounding).

    Source
    ------
    AMBIENT, appendix A: A_k = (R_k - b_k) / sqrt(Var(R_k - b_k)).
    """
    centred = rewards - baselines
    spread = centred.std(unbiased=False)
    return centred / spread if spread > 1e-6 else torch.zeros_like(centred)


def ppo_loss(
    log_probabilities: Tensor, old_log_probabilities: Tensor, advantages: Tensor, clip_ratio: float
) -> Tensor:
    """Give the clipped surrogate loss, with one ratio for each architecture.

    Parameters
    ----------
    log_probabilities : Tensor, float32, shape (batch,)
        Of each whole architecture under the policy in training, with gradient.
    old_log_probabilities : Tensor, float32, shape (batch,)
        Under the policy that sampled it.
    advantages : Tensor, float32, shape (batch,)
        From `normalise_advantages`.
    clip_ratio : float
        0.2 keeps the ratio within 0.8 and 1.2.

    Returns
    -------
    Tensor, float32, shape ()
        Mean over the batch, to be minimised.

    Source
    ------
    Schulman et al. 2017, Proximal Policy Optimization Algorithms, equation 7.
    """
    ratios = (log_probabilities - old_log_probabilities).exp()
    clipped = ratios.clamp(1 - clip_ratio, 1 + clip_ratio)
    return -torch.minimum(ratios * advantages, clipped * advantages).mean()


def explained_variance(rewards: Tensor, baselines: Tensor) -> float:
    """Give the share of the rewards' variance that the baselines explain: 1 at best."""
    variance = rewards.var(unbiased=False)
    if variance <= 1e-12:
        return 0.0
    return float(1 - (rewards - baselines).var(unbiased=False) / variance)


def update(
    policy: Policy,
    optimiser: torch.optim.Optimizer,
    buffer: Sequence[Step],
    baselines: Mapping[str, float],
    config: PPOConfig,
    generator: torch.Generator,
) -> dict[str, float]:
    """Improve the policy from a buffer of recent steps.

    Parameters
    ----------
    policy : Policy
        Changed in place.
    optimiser : torch.optim.Optimizer
        Of the policy's parameters.
    buffer : sequence of Step
        Recent steps, the newest last.
    baselines : mapping of str to float
        Today's baseline of each task in the buffer.
    config : PPOConfig
        The constants.
    generator : torch.Generator
        Shuffles the minibatches.

    Returns
    -------
    dict of str to float
        `approx_kl` (nats per architecture, last minibatch), `clip_fraction`, `entropy` (nats),
        `policy_loss`, `gradient_norm` (before clipping), means over the minibatches;
        `explained_variance` of the rewards by the baselines; `minibatches` that were used.
    """
    descriptors = torch.cat([step.descriptors for step in buffer])
    tokens = torch.cat([step.tokens for step in buffer])
    sampled = torch.cat([step.log_probabilities for step in buffer])
    rewards = torch.cat([step.rewards for step in buffer])
    expected = torch.tensor([baselines[task] for step in buffer for task in step.tasks])
    advantages = normalise_advantages(rewards, expected)
    with torch.no_grad():
        # Old steps were sampled by older policies, so how far this update moves is measured from
        # where it starts.
        started = policy.log_probability(descriptors, tokens)

    parameters = list(policy.parameters())
    logs: dict[str, list[float]] = {
        name: [] for name in ("clip_fraction", "entropy", "policy_loss", "gradient_norm")
    }
    approx_kl = 0.0
    stopped = False
    for _ in range(config.epochs):
        for chosen in torch.randperm(len(tokens), generator=generator).split(config.minibatch_size):
            new, entropy = policy.log_probability_and_entropy(descriptors[chosen], tokens[chosen])
            with torch.no_grad():
                # http://joschu.net/blog/kl-approx.html: low variance, never negative.
                moved = new - started[chosen]
                approx_kl = float((moved.exp() - 1 - moved).mean())
                ratios = (new - sampled[chosen]).exp()
                clipped = ((ratios - 1).abs() > config.clip_ratio).float().mean()
            if approx_kl > config.kl_limit:
                stopped = True
                break
            policy_loss = ppo_loss(new, sampled[chosen], advantages[chosen], config.clip_ratio)
            mean_entropy = entropy.mean()
            loss = policy_loss - config.entropy_weight * mean_entropy
            optimiser.zero_grad()
            loss.backward()
            gradients = [one.grad for one in parameters if one.grad is not None]
            norm = nn.utils.get_total_norm(gradients, foreach=True)
            if norm > config.gradient_norm:
                nn.utils.clip_grads_with_norm_(parameters, config.gradient_norm, norm, foreach=True)
            optimiser.step()
            logs["clip_fraction"].append(float(clipped))
            logs["entropy"].append(float(mean_entropy.detach()))
            logs["policy_loss"].append(float(policy_loss.detach()))
            logs["gradient_norm"].append(float(norm))
        if stopped:
            break

    means = {name: sum(values) / max(len(values), 1) for name, values in logs.items()}
    return {
        "approx_kl": approx_kl,
        **means,
        "explained_variance": explained_variance(rewards, expected),
        "minibatches": float(len(logs["entropy"])),
    }
