"""The controller: descriptors in, a distribution over architectures out, and how it learns."""

from ambient.controller.baselines import Baselines, check_metric, reward
from ambient.controller.card import Controller, Proposal, TrainingTask
from ambient.controller.checkpoint import read_checkpoint, write_checkpoint
from ambient.controller.policy import Policy, PolicyConfig
from ambient.controller.ppo import PPOConfig, Step, normalise_advantages, ppo_loss, update
from ambient.controller.scaling import Scaler

__all__ = [
    "Baselines",
    "Controller",
    "PPOConfig",
    "Policy",
    "PolicyConfig",
    "Proposal",
    "Scaler",
    "Step",
    "TrainingTask",
    "check_metric",
    "normalise_advantages",
    "ppo_loss",
    "read_checkpoint",
    "reward",
    "update",
    "write_checkpoint",
]
