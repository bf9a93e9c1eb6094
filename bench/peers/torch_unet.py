"""Fairlead's UNet written plainly in torch: the peer that src/networks/unet.ts is measured against.

It takes the same config (UnetConfig) and has the same parameters, layer by layer.
"""

import torch
from torch import nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    def __init__(self, inside, outside, config):
        super().__init__()
        self.modulate = config["modulate"]
        self.norm1 = nn.GroupNorm(config["groups"], inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1)
        self.embedding = nn.Linear(config["embedding"], outside * (2 if self.modulate else 1))
        self.norm2 = nn.GroupNorm(config["groups"], outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1)
        self.skip = nn.Identity() if inside == outside else nn.Conv2d(inside, outside, 1)

    def forward(self, x, embedded):
        h = self.conv1(F.silu(self.norm1(x)))
        e = self.embedding(embedded)[:, :, None, None]
        if self.modulate:
            scale, shift = e.chunk(2, dim=1)
            h = self.norm2(h) * (1 + scale) + shift
        else:
            h = self.norm2(h + e)
        return self.skip(x) + self.conv2(F.silu(h))


class AttentionBlock(nn.Module):
    def __init__(self, width, config):
        super().__init__()
        self.heads = width // config["headChannels"]
        self.norm = nn.GroupNorm(config["groups"], width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x):
        batch, width, rows, columns = x.shape
        qkv = self.qkv(self.norm(x)).reshape(batch, 3, self.heads, width // self.heads, rows * columns)
        q, k, v = qkv.transpose(-1, -2).unbind(1)  # [batch, heads, pixels, headChannels]
        h = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(h.transpose(-1, -2).reshape(batch, width, rows, columns))


class Stage(nn.Module):
    """A residual block, and attention after it where the level has it."""

    def __init__(self, inside, outside, attends, config):
        super().__init__()
        self.block = ResidualBlock(inside, outside, config)
        self.attention = AttentionBlock(outside, config) if attends else nn.Identity()

    def forward(self, x, embedded):
        return self.attention(self.block(x, embedded))


class UNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths, blocks, attends = config["features"], config["blocks"], config["attention"]
        levels, deepest = len(widths), widths[-1]
        self.patch, self.width = config["patch"], config["embedding"]
        pixels = config["channels"] * self.patch**2

        self.noise = nn.Linear(self.width, self.width)
        self.classes = nn.Embedding(config["classes"] + 1, self.width) if config["classes"] else None
        self.mix = nn.Linear(self.width, self.width)

        self.enter = nn.Conv2d(pixels, widths[0], 3, padding=1)
        self.down, self.shrink, inside = nn.ModuleList(), nn.ModuleList(), widths[0]
        for level, width in enumerate(widths):
            stages = [Stage(width if i else inside, width, attends[level], config) for i in range(blocks)]
            self.down.append(nn.ModuleList(stages))
            last = level == levels - 1
            self.shrink.append(nn.Identity() if last else nn.Conv2d(width, width, 3, stride=2, padding=1))
            inside = width

        self.middle = nn.ModuleList([Stage(deepest, deepest, attend, config) for attend in (True, False)])

        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(levels)):
            width = widths[level]
            stages = [Stage((width if i else inside) + width, width, attends[level], config) for i in range(blocks)]
            self.up.append(nn.ModuleList(stages))
            self.grow.append(nn.Conv2d(width, width, 3, padding=1) if level else nn.Identity())
            inside = width

        self.norm = nn.GroupNorm(config["groups"], widths[0])
        self.leave = nn.Conv2d(widths[0], pixels, 3, padding=1)

    def forward(self, x, noise, labels):
        # Embedding of noise level and class.
        frequencies = 100 ** torch.linspace(0, 1, self.width // 2)
        angles = noise[:, None] * frequencies
        e = self.noise(torch.cat([angles.sin(), angles.cos()], dim=1))
        if self.classes is not None:
            e = e + self.classes(labels)
        e = F.silu(self.mix(F.silu(e)))

        # Down.
        h = self.enter(F.pixel_unshuffle(x, self.patch) if self.patch > 1 else x)
        skips = []
        for stages, shrink in zip(self.down, self.shrink):
            for stage in stages:
                h = stage(h, e)
                skips.append(h)
            h = shrink(h)

        # Middle.
        for stage in self.middle:
            h = stage(h, e)

        # Up.
        for stages, grow in zip(self.up, self.grow):
            for stage in stages:
                h = stage(torch.cat([h, skips.pop()], dim=1), e)
            if not isinstance(grow, nn.Identity):
                h = grow(F.interpolate(h, scale_factor=2, mode="nearest"))
        h = self.leave(F.silu(self.norm(h)))
        return F.pixel_shuffle(h, self.patch) if self.patch > 1 else h


class UNetWorkload:
    """Forward passes and training steps (MSE, AdamW) on random images, in eager mode. More in config: batch, channelsLast."""

    def __init__(self, config):
        torch.manual_seed(0)
        batch, size = config.get("batch", 32), config["size"]
        layout = torch.channels_last if config.get("channelsLast") else torch.contiguous_format
        self.model = UNet(config).to(memory_format=layout)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        shape = (batch, config["channels"], size, size)
        self.x = torch.randn(shape).contiguous(memory_format=layout)
        self.target = torch.randn(shape).contiguous(memory_format=layout)
        self.noise = torch.linspace(-1.5, 1, batch)
        self.labels = torch.arange(batch) % (config["classes"] + 1)
        self.parameters = sum(p.numel() for p in self.model.parameters())

    def forward(self):
        with torch.no_grad():
            self.model(self.x, self.noise, self.labels)

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.mse_loss(self.model(self.x, self.noise, self.labels), self.target)
        loss.backward()
        self.optimizer.step()
        return loss.item()
