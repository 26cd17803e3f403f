"""What it costs to train a ResNet-50 on one picture, in seconds of one core, for the chapter `scaling_up`.

    python benchmarks/convolutions.py

One step of stochastic gradient descent at the size of CIFAR (32 x 32) and of ImageNet (224 x 224), on random
pictures; beside it the operations as torch counts them, and the rate of a large matrix product.  About two
minutes, 2 GB.  Time does not depend on the values of the data.
"""

from __future__ import annotations

import torch
from _provenance import MEASURED, save
from scaling_up import best, matrix_rate
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

SEED, CIFAR_BATCH, IMAGENET_BATCH = 0, 32, 8
STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))  # blocks, width, stride of the first


def convolution(c_in: int, c_out: int, window: int, stride: int = 1) -> nn.Module:
    """Convolution that keeps the size, up to the stride, and normalization."""
    plain = nn.Conv2d(c_in, c_out, window, stride, window // 2, bias=False)
    return nn.Sequential(plain, nn.BatchNorm2d(c_out))


class Block(nn.Module):
    """Three convolutions and a way around them (He et al. 2016); the stride sits in the middle one."""

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            convolution(c_in, width, 1), nn.ReLU(), convolution(width, width, 3, stride), nn.ReLU(),
            convolution(width, 4 * width, 1),
        )  # fmt: skip
        self.around = convolution(c_in, 4 * width, 1, stride) if c_in != 4 * width else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Sum of both ways."""
        return torch.relu(self.path(x) + self.around(x))


def resnet50(entry: list[nn.Module], classes: int) -> nn.Module:
    """Return the network behind an entry that gives 64 channels."""
    blocks, c = [], 64
    for number, width, stride in STAGES:
        for k in range(number):
            blocks.append(Block(c, width, stride if k == 0 else 1))
            c = 4 * width
    return nn.Sequential(*entry, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))


def training(net: nn.Module, side: int, batch: int, classes: int) -> dict[str, object]:
    """Seconds and operations of one step, for one picture."""
    x, y = torch.rand(batch, 3, side, side), torch.randint(classes, (batch,))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        step()
    seconds, operations = best(step) / batch, counter.get_total_flops() / batch
    return {"side": side, "batch": batch, "operations": operations, "seconds": round(seconds, 5)}


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    small = [convolution(3, 64, 3), nn.ReLU()]
    large = [convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    results = {
        "matrix rate": round(matrix_rate(), -7),
        "CIFAR-100": training(resnet50(small, 100), 32, CIFAR_BATCH, 100),
        "ImageNet": training(resnet50(large, 1000), 224, IMAGENET_BATCH, 1000),
    }
    save(__file__, SEED, results, "torch", folder=MEASURED)


if __name__ == "__main__":
    main()
