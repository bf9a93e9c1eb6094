"""A UNet denoiser written plainly in torch: the peer that Fairlead's UNet is measured against.

The config (JSON) names what the two have in common:

  inChannels   channels of the image
  channels     width of each level, finest first
  blocks       residual blocks per level, on the way down and again on the way up
  attention    per level: does an attention block follow each residual block? (the middle always has one)
  headChannels channels of one attention head
  embedding    width of the time and class embedding
  classes      number of classes; one more row is the null class
  groups       groups of every group norm
  scaleShift   true: the embedding scales and shifts after the second norm; false: it is added before it
  down         "conv" (3x3, stride 2) or "pool" (2x2 average, then no weights)
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    def __init__(self, inside, outside, config):
        super().__init__()
        self.scale_shift = config["scaleShift"]
        self.norm1 = nn.GroupNorm(config["groups"], inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1)
        self.embed = nn.Linear(config["embedding"], outside * (2 if self.scale_shift else 1))
        self.norm2 = nn.GroupNorm(config["groups"], outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1)
        self.skip = nn.Identity() if inside == outside else nn.Conv2d(inside, outside, 1)

    def forward(self, x, embedding):
        h = self.conv1(F.silu(self.norm1(x)))
        e = self.embed(F.silu(embedding))[:, :, None, None]
        if self.scale_shift:
            scale, shift = e.chunk(2, dim=1)
            h = self.norm2(h) * (1 + scale) + shift
        else:
            h = self.norm2(h + e)
        return self.skip(x) + self.conv2(F.silu(h))


class AttentionBlock(nn.Module):
    def __init__(self, channels, config):
        super().__init__()
        self.heads = channels // config["headChannels"]
        self.norm = nn.GroupNorm(config["groups"], channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        batch, channels, height, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(batch, 3, self.heads, channels // self.heads, height * width)
        q, k, v = qkv.transpose(-1, -2).unbind(1)  # [batch, heads, pixels, headChannels]
        h = F.scaled_dot_product_attention(q, k, v)
        h = h.transpose(-1, -2).reshape(batch, channels, height, width)
        return x + self.project(h)


class Level(nn.Module):
    """The residual blocks of one resolution, each followed by attention where the config says so."""

    def __init__(self, widths, channels, attention, config):
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(inside, channels, config) for inside in widths)
        self.attention = nn.ModuleList(
            AttentionBlock(channels, config) if attention else nn.Identity() for _ in widths
        )


class Downsample(nn.Module):
    def __init__(self, channels, kind):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1) if kind == "conv" else nn.AvgPool2d(2)

    def forward(self, x):
        return self.conv(x)


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class UNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths, blocks = config["channels"], config["blocks"]
        self.frequencies = widths[0] // 2
        self.time1 = nn.Linear(widths[0], config["embedding"])
        self.time2 = nn.Linear(config["embedding"], config["embedding"])
        self.classes = nn.Embedding(config["classes"] + 1, config["embedding"])
        self.enter = nn.Conv2d(config["inChannels"], widths[0], 3, padding=1)

        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            first = widths[max(level - 1, 0)]
            self.down.append(Level([first] + [width] * (blocks - 1), width, config["attention"][level], config))
            last = level == len(widths) - 1
            self.shrink.append(nn.Identity() if last else Downsample(width, config["down"]))

        self.middle1 = ResidualBlock(widths[-1], widths[-1], config)
        self.middle_attention = AttentionBlock(widths[-1], config)
        self.middle2 = ResidualBlock(widths[-1], widths[-1], config)

        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(widths))):
            width = widths[level]
            below = widths[min(level + 1, len(widths) - 1)]
            inputs = [below + width] + [2 * width] * (blocks - 1)
            self.up.append(Level(inputs, width, config["attention"][level], config))
            self.grow.append(Upsample(width) if level > 0 else nn.Identity())

        self.norm = nn.GroupNorm(config["groups"], widths[0])
        self.leave = nn.Conv2d(widths[0], config["inChannels"], 3, padding=1)

    def forward(self, x, noise_level, labels):
        # Embedding of the noise level and the class.
        steps = torch.arange(self.frequencies, device=x.device) / self.frequencies
        angles = noise_level[:, None] * torch.exp(-math.log(10000) * steps)
        embedding = torch.cat([angles.cos(), angles.sin()], dim=1)
        embedding = self.time2(F.silu(self.time1(embedding))) + self.classes(labels)

        # Down.
        h = self.enter(x)
        skips = []
        for level, shrink in zip(self.down, self.shrink):
            for block, attention in zip(level.blocks, level.attention):
                h = attention(block(h, embedding))
                skips.append(h)
            h = shrink(h)

        # Middle.
        h = self.middle2(self.middle_attention(self.middle1(h, embedding)), embedding)

        # Up.
        for level, grow in zip(self.up, self.grow):
            for block, attention in zip(level.blocks, level.attention):
                h = attention(block(torch.cat([h, skips.pop()], dim=1), embedding))
            h = grow(h)
        return self.leave(F.silu(self.norm(h)))


def parameter_count(module):
    return sum(p.numel() for p in module.parameters())


class UNetWorkload:
    """Forward passes and training steps (MSE, AdamW) of a UNet on random images, in eager mode."""

    def __init__(self, config):
        torch.manual_seed(0)
        size, batch = config.get("size", 32), config.get("batch", 32)
        layout = torch.channels_last if config.get("channelsLast") else torch.contiguous_format
        self.model = UNet(config).to(memory_format=layout)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        shape = (batch, config["inChannels"], size, size)
        self.x = torch.randn(shape).contiguous(memory_format=layout)
        self.target = torch.randn(shape).contiguous(memory_format=layout)
        self.noise_level = torch.linspace(0, 999, batch)
        self.labels = torch.arange(batch) % (config["classes"] + 1)
        self.parameters = parameter_count(self.model)

    def forward(self):
        with torch.no_grad():
            self.model(self.x, self.noise_level, self.labels)

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.mse_loss(self.model(self.x, self.noise_level, self.labels), self.target)
        loss.backward()
        self.optimizer.step()
        return loss.item()
