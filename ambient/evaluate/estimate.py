"""What a child will cost, told from its request alone: arithmetic, time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ambient.child.size import NetworkSize, network_size

if TYPE_CHECKING:
    from ambient.data.task import TaskData
    from ambient.evaluate.records import Request

__all__ = ["estimate_memory_bytes", "estimate_seconds"]

# Of one thread of a common core, rounded; benchmarks/scale/pool.md says how well they order children.
FLOPS_A_SECOND = 200e9  # of convolutions and matrix products, in bfloat16
NUMBERS_A_SECOND = 10e9  # written, normalised, pooled and read again on the way back
BACKWARD = 3  # a step costs so many forward passes
WINDOWS_A_SECOND = 5e3  # cut, shifted, spelled out, handed from layer to layer

PREDICTED_AT_ONCE = 256  # windows without gradients
COPIES = 6  # of the weights: themselves, gradients, Adam's two moments, the best ones, a spare
MARGIN = 1.5  # for what libraries take to work in, and for gaps between allocations


def estimate_seconds(request: Request, task: TaskData) -> float:
    """Guess how long one thread of a common core trains a child.

    Good enough to begin with the longest and to tell a slow child from one that hangs.
    """
    fidelity = request.fidelity
    size = _size(request, task)
    once = size.flops / FLOPS_A_SECOND + size.activations / NUMBERS_A_SECOND
    strands = 2 if fidelity.reverse_complement else 1
    judged = strands * int((task.split == 1).sum()) * (1 - fidelity.keep_from)
    epoch = fidelity.windows_per_epoch * (BACKWARD * once + 1 / WINDOWS_A_SECOND) + judged * once
    tested = strands * int((task.split > 0).sum()) * once
    return fidelity.members * (fidelity.epochs * epoch + tested)


def estimate_memory_bytes(request: Request, task: TaskData) -> int:
    """Guess the most memory that a child takes on its device.

    Activations of a step and their gradients, or of a batch of predictions; the weights with all that an optimiser
    keeps of them, in each member; the task's windows. In float32, with a margin of half as much again; what a library
    takes for itself on a device (on CUDA a context) is not in it.
    """
    size = _size(request, task)
    windows = max(2 * request.fidelity.batch_size, PREDICTED_AT_ONCE)
    numbers = windows * size.activations + (COPIES + request.fidelity.members) * size.parameters
    return int(MARGIN * (4 * numbers + task.codes.nbytes))


def _size(request: Request, task: TaskData) -> NetworkSize:
    window_bp = int(request.architecture.window_bp or task.window_bp)
    return network_size(request.architecture, window_bp, task.outputs)
