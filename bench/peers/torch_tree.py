"""The 2-D tree and its magnitude-preserving network in torch: the peer of Fairlead's `tree` preset.

The distribution and the network are those of appendix C of the autoguidance paper (arXiv:2406.02507).
"""

import math

import numpy as np
import torch
from torch import nn

STRETCH = np.array([1.3136, 1.3844])
SIGMA_DATA = 0.5


def tree_components(start_heading, random):
    """Weights, means and covariances of one class: a binary fractal tree of 127 branches with 8 Gaussians each."""
    weights, means, covariances = [], [], []

    def branch(base, heading, depth):
        length = 0.292 * 0.8**depth * (1 + 0.2 * random.standard_normal())
        along = np.array([math.cos(heading), math.sin(heading)])
        across = np.array([-along[1], along[0]])
        spread = 0.06 * length * STRETCH
        shape = np.outer(along, along) + (0.2 * 0.8**depth / length) ** 2 * np.outer(across, across)
        for t in np.linspace(0.07, 0.93, 8):
            weights.append(length * 0.5**depth)
            means.append((base + length * t * along) * STRETCH)
            covariances.append(shape * np.outer(spread, spread))
        for side in (1, -1):
            turn = 0.7**depth * (1 + 0.2 * random.standard_normal())
            if depth < 6:
                branch(base + length * along, heading + side * turn, depth + 1)

    branch(np.array([0.0030, 0.0325]), start_heading, 0)
    weights = np.array(weights)
    return weights / weights.sum(), np.array(means), np.array(covariances)


class Mixture:
    """A Gaussian mixture in two dimensions, each covariance kept as its eigenvalues and axes."""

    def __init__(self, weights, means, covariances):
        tensor = lambda array: torch.tensor(array, dtype=torch.float32)
        values, axes = np.linalg.eigh(covariances)
        self.weights, self.means = tensor(weights), tensor(means)
        self.log_weights = self.weights.log()
        self.factors = tensor(np.linalg.cholesky(covariances))
        # One row per axis: projections of all components in a single matrix product.
        self.axes = [tensor(axes[:, :, i]) for i in range(2)]
        self.centres = [tensor((axes[:, :, i] * means).sum(1)) for i in range(2)]
        self.values = [tensor(values[:, i]) for i in range(2)]

    def sample(self, count, sigma):
        index = torch.multinomial(self.weights, count, replacement=True)
        inside = (self.factors[index] @ torch.randn(count, 2, 1)).squeeze(-1)
        return self.means[index] + inside + sigma * torch.randn(count, 2)

    def score(self, x, sigma):
        """The gradient of the log density, smoothed by sigma: a softmax over components, then a weighted sum."""
        logits, pulls = self.log_weights, []
        for axes, centres, values in zip(self.axes, self.centres, self.values):
            away = x @ axes.T - centres
            variance = values + sigma**2
            pull = away / variance
            logits = logits - 0.5 * (away * pull + variance.log())
            pulls.append(pull)
        posterior = logits.softmax(dim=1)
        return -sum((posterior * pull) @ axes for pull, axes in zip(pulls, self.axes))


def normalized(weight):
    """Every row scaled to a mean square of 1."""
    return weight / (1e-4 + weight.square().mean(dim=1, keepdim=True).sqrt())


class MagnitudePreservingLinear(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outside, inside))

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.weight.copy_(normalized(self.weight))
        return x @ (normalized(self.weight) / math.sqrt(self.weight.shape[1])).T


class TreeNetwork(nn.Module):
    """log p(x; sigma) = gain * mean(y^2) / sigma - |x / sqrt(sigmaData^2 + sigma^2)|^2 / 2, up to a constant."""

    def __init__(self, hidden, layers=4):
        super().__init__()
        widths = [4] + [hidden] * (layers + 1)
        self.layers = nn.ModuleList(map(MagnitudePreservingLinear, widths[:-1], widths[1:]))
        self.gain = nn.Parameter(torch.zeros([]))

    def log_density(self, x, sigma):
        x = x / (SIGMA_DATA**2 + sigma**2).sqrt()
        y = torch.cat([x, sigma.log() / 4, torch.ones_like(sigma)], dim=1)
        y = self.layers[0](y)
        for layer in self.layers[1:]:
            y = layer(nn.functional.silu(y) / 0.596)
        return self.gain * y.square().mean(dim=1, keepdim=True) / sigma - 0.5 * x.square().sum(dim=1, keepdim=True)

    def score(self, x, sigma):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            total = self.log_density(x, sigma).sum()
            return torch.autograd.grad(total, x, create_graph=self.training)[0]


class TreeWorkload:
    """Training by exact score matching, and autoguided sampling with two networks, in eager mode."""

    def __init__(self, config):
        torch.manual_seed(0)
        self.batch, self.samples = config.get("batch", 4096), config.get("samples", 8192)
        self.steps, self.weight = config.get("steps", 32), config.get("weight", 3.0)
        self.target = Mixture(*tree_components(math.pi / 4, np.random.RandomState(2)))
        self.main, self.guide = TreeNetwork(config.get("hidden", 64)), TreeNetwork(config.get("guideHidden", 32))
        self.optimizer = torch.optim.Adam(self.main.parameters(), lr=0.01, betas=(0.9, 0.99))
        self.average = [p.detach().clone() for p in self.main.parameters()]
        self.iteration = 0
        self.parameters = sum(p.numel() for p in self.main.parameters())

    def train(self):
        self.main.train()
        self.iteration += 1
        for group in self.optimizer.param_groups:
            group["lr"] = 0.01 / math.sqrt(max(self.iteration / 512, 1))

        # Noised data, its exact score, and the network's.
        sigma = (-2.3 + 1.5 * torch.randn(self.batch, 1)).exp()
        x = self.target.sample(self.batch, sigma)
        with torch.no_grad():
            exact = self.target.score(x, sigma)
        loss = (sigma**2 * (exact - self.main.score(x, sigma)).square()).mean()

        # Adam, then the power-function average of relative width 0.010.
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        beta = (1 - 1 / self.iteration) ** (96.994898 + 1)
        with torch.no_grad():
            torch._foreach_lerp_(self.average, [p.detach() for p in self.main.parameters()], 1 - beta)
        return loss.item()

    def score(self):
        with torch.no_grad():
            sigma = torch.full((self.batch, 1), 0.1)
            self.target.score(self.target.sample(self.batch, sigma), sigma)

    def guided(self, x, sigma):
        column = sigma.expand(len(x), 1)
        strong, weak = self.main.score(x, column), self.guide.score(x, column)
        return x + sigma**2 * torch.lerp(weak, strong, self.weight)

    def sample(self):
        """Heun's method on the Karras grid from 5 to 0.002."""
        self.main.eval(), self.guide.eval()
        ramp = torch.linspace(0, 1, self.steps)
        sigmas = (5 ** (1 / 7) + ramp * (0.002 ** (1 / 7) - 5 ** (1 / 7))) ** 7
        sigmas = torch.cat([sigmas, torch.zeros(1)])
        with torch.no_grad():
            x = self.target.sample(self.samples, 5.0)
            for sigma, following in zip(sigmas[:-1], sigmas[1:]):
                slope = (x - self.guided(x, sigma)) / sigma
                predicted = x + (following - sigma) * slope
                if following > 0:
                    second = (predicted - self.guided(predicted, following)) / following
                    predicted = x + (following - sigma) / 2 * (slope + second)
                x = predicted
        return x
