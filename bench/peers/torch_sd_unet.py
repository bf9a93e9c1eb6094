"""A UNet of Stable Diffusion 1.5's shape, written plainly in torch, at any width: the peer of bench/optimise.ts and bench/pagSd.ts.

Epsilon of latents [batch, 4, height, width] from a timestep and text [batch, 77, text_width]. At widths (320, 640, 1280, 1280)
and text width 768 it has the 859,520,964 parameters of Stable Diffusion 1.5; the weights here are random.

By hand: python torch_sd_unet.py FOLDER writes FOLDER/unet.onnx (opset 17; batch, height, width and sequence open), the same with
attention written out as FOLDER/unet_written_out.onnx, and the inputs and outputs of one call of torch, by which they are checked.
"""

import json
import math
import os
import sys

import torch
from torch import nn
from torch.nn import functional as F

QUARTER = {"widths": [80, 160, 320, 320], "groups": 16, "heads": 8, "textWidth": 768}
FULL = {"widths": [320, 640, 1280, 1280], "groups": 32, "heads": 8, "textWidth": 768}
FULL_PARAMETERS = 859_520_964
TEXT_TOKENS = 77
CHECKED_SIZE = 32


def rescaled(x):
    """The division by 1 that exported networks have; torch is timed without it."""
    return x / 1.0 if torch.onnx.is_in_onnx_export() else x


class ResnetBlock(nn.Module):
    def __init__(self, inside, outside, embedding, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inside, eps=1e-5)
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1)
        self.time_emb_proj = nn.Linear(embedding, outside)
        self.norm2 = nn.GroupNorm(groups, outside, eps=1e-5)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1)
        self.nonlinearity = nn.SiLU()
        self.conv_shortcut = nn.Conv2d(inside, outside, 1) if inside != outside else None

    def forward(self, x, embedded):
        h = self.conv1(self.nonlinearity(self.norm1(x)))
        h = h + self.time_emb_proj(self.nonlinearity(embedded))[:, :, None, None]
        h = self.conv2(self.nonlinearity(self.norm2(h)))
        return rescaled((x if self.conv_shortcut is None else self.conv_shortcut(x)) + h)


class Attention(nn.Module):
    """softmax(QK'/sqrt(d)) V; the last `identity_rows` rows of the batch take V itself (PAG)."""

    def __init__(self, width, heads, source_width):
        super().__init__()
        self.heads = heads
        self.identity_rows = 0
        self.written_out = False
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(source_width, width, bias=False)
        self.to_v = nn.Linear(source_width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x, source):
        if self.identity_rows == 0:
            return rescaled(self.to_out[0](self.attend(x, source)))
        plain = x.shape[0] - self.identity_rows
        values = self.to_v(source[plain:])
        if plain > 0:
            values = torch.cat([self.attend(x[:plain], source[:plain]), values])
        return rescaled(self.to_out[0](values))

    def attend(self, x, source):
        batch, _, width = source.shape[0], source.shape[1], x.shape[-1]
        q, k, v = (
            t.view(batch, -1, self.heads, width // self.heads).transpose(1, 2)
            for t in (self.to_q(x), self.to_k(source), self.to_v(source))
        )
        h = self.write_out(q, k, v) if self.written_out else F.scaled_dot_product_attention(q, k, v)
        return h.transpose(1, 2).reshape(batch, -1, width)

    def write_out(self, q, k, v):
        """As networks did it before there was one function for it: heads and batch as one axis, and an empty mask."""
        batch, heads, tokens, size = q.shape
        q, k, v = (t.reshape(batch * heads, -1, size) for t in (q, k, v))
        empty = torch.zeros(batch * heads, tokens, k.shape[1]) * 0
        scores = torch.baddbmm(empty, q, k.transpose(1, 2), beta=0, alpha=size**-0.5)
        return torch.bmm(scores.softmax(dim=-1), v).reshape(batch, heads, -1, size)


class GeGlu(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.proj = nn.Linear(inside, 2 * outside)

    def forward(self, x):
        h, gate = self.proj(x).chunk(2, dim=-1)
        return h * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.ModuleList([GeGlu(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x):
        for layer in self.net:
            x = layer(x)
        return x


class TransformerBlock(nn.Module):
    def __init__(self, width, heads, text_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, heads, width)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, heads, text_width)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width)

    def forward(self, x, text):
        normed = self.norm1(x)
        x = self.attn1(normed, normed) + x
        x = self.attn2(self.norm2(x), text) + x
        return self.ff(self.norm3(x)) + x


class SpatialTransformer(nn.Module):
    def __init__(self, width, config):
        super().__init__()
        self.norm = nn.GroupNorm(config["groups"], width, eps=1e-6)
        self.proj_in = nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, config["heads"], config["textWidth"])])
        self.proj_out = nn.Conv2d(width, width, 1)

    def forward(self, x, text):
        batch, width, rows, columns = x.shape
        h = self.proj_in(self.norm(x))
        h = h.permute(0, 2, 3, 1).reshape(batch, rows * columns, width)
        for block in self.transformer_blocks:
            h = block(h, text)
        h = h.reshape(batch, rows, columns, width).permute(0, 3, 1, 2).contiguous()
        return self.proj_out(h) + x


class Resample(nn.Module):
    def __init__(self, width, up):
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(width, width, 3, padding=1, stride=1 if up else 2)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest") if self.up else x)


class Level(nn.Module):
    """Resnets of one resolution, a transformer after each where `attends`, and what changes the resolution."""

    def __init__(self, sizes, attends, last, up, embedding, config):
        super().__init__()
        outside = sizes[0][1]
        self.resnets = nn.ModuleList([ResnetBlock(a, b, embedding, config["groups"]) for a, b in sizes])
        if attends:
            self.attentions = nn.ModuleList([SpatialTransformer(outside, config) for _ in sizes])
        self.attends = attends
        self.change = None if last else "upsamplers" if up else "downsamplers"
        if self.change:
            setattr(self, self.change, nn.ModuleList([Resample(outside, up)]))

    def forward(self, x, embedded, text, skips, up):
        for i, resnet in enumerate(self.resnets):
            x = resnet(torch.cat([x, skips.pop()], dim=1) if up else x, embedded)
            if self.attends:
                x = self.attentions[i](x, text)
            if not up:
                skips.append(x)
        if self.change:
            x = getattr(self, self.change)[0](x)
            if not up:
                skips.append(x)
        return x


class Middle(nn.Module):
    def __init__(self, width, embedding, config):
        super().__init__()
        self.resnets = nn.ModuleList([ResnetBlock(width, width, embedding, config["groups"]) for _ in range(2)])
        self.attentions = nn.ModuleList([SpatialTransformer(width, config)])

    def forward(self, x, embedded, text):
        return self.resnets[1](self.attentions[0](self.resnets[0](x, embedded), text), embedded)


class TimeEmbedding(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear_1 = nn.Linear(width, 4 * width)
        self.act = nn.SiLU()
        self.linear_2 = nn.Linear(4 * width, 4 * width)

    def forward(self, x):
        return self.linear_2(self.act(self.linear_1(x)))


class SdUNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths = config["widths"]
        embedding, depth = 4 * widths[0], len(widths)
        self.width = widths[0]
        self.conv_in = nn.Conv2d(4, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0])

        # Two resnets a level down, three up; attention at all levels but the deepest.
        downs, ups = [], []
        inside, skipped = widths[0], [widths[0]]
        for level, width in enumerate(widths):
            last = level == depth - 1
            downs.append(Level([(inside, width), (width, width)], not last, last, False, embedding, config))
            skipped += [width, width] if last else [width, width, width]
            inside = width
        for level, width in enumerate(reversed(widths)):
            sizes = []
            for _ in range(3):
                sizes.append((inside + skipped.pop(), width))
                inside = width
            ups.append(Level(sizes, level > 0, level == depth - 1, True, embedding, config))
        self.down_blocks = nn.ModuleList(downs)
        self.mid_block = Middle(widths[-1], embedding, config)
        self.up_blocks = nn.ModuleList(ups)

        self.conv_norm_out = nn.GroupNorm(config["groups"], widths[0], eps=1e-5)
        self.conv_act = nn.SiLU()
        self.conv_out = nn.Conv2d(widths[0], 4, 3, padding=1)

    def forward(self, sample, timestep, encoder_hidden_states):
        # Cosines, then sines, of the timestep at frequencies from 1 to 1/10,000.
        half = self.width // 2
        frequencies = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32) / half)
        angles = timestep.expand(sample.shape[0])[:, None].float() * frequencies
        embedded = self.time_embedding(torch.cat([angles.cos(), angles.sin()], dim=-1))

        x = self.conv_in(sample)
        skips = [x]
        for block in self.down_blocks:
            x = block(x, embedded, encoder_hidden_states, skips, False)
        x = self.mid_block(x, embedded, encoder_hidden_states)
        for block in self.up_blocks:
            x = block(x, embedded, encoder_hidden_states, skips, True)
        return self.conv_out(self.conv_act(self.conv_norm_out(x)))

    def perturb_middle(self, rows):
        """The self-attention of the middle block becomes the identity for the last `rows` rows of a batch."""
        self.mid_block.attentions[0].transformer_blocks[0].attn1.identity_rows = rows


def build(config):
    """The network with seeded random weights. Asserts that the architecture is Stable Diffusion 1.5's."""
    with torch.device("meta"):
        full = sum(p.numel() for p in SdUNet(FULL).parameters())
    assert full == FULL_PARAMETERS, f"{full:,} parameters at full width, Stable Diffusion 1.5 has {FULL_PARAMETERS:,}"
    torch.manual_seed(0)
    return SdUNet(config).eval()


def inputs(config, rows, size, seed=1):
    """One latent for all rows, as guidance has it, and a text for each."""
    generator = torch.Generator().manual_seed(seed)
    sample = torch.randn((1, 4, size, size), generator=generator).expand(rows, -1, -1, -1).contiguous()
    text = torch.randn((rows, TEXT_TOKENS, config["textWidth"]), generator=generator)
    return sample, torch.tensor([500]), text


class SdUNetWorkload:
    """What guidance evaluates, in eager mode. In config: size, height and width of the latents, and what differs from QUARTER."""

    def __init__(self, config):
        self.config = {**QUARTER, **config}
        self.model = build(self.config)
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.rows = {rows: inputs(self.config, rows, self.config["size"]) for rows in (1, 2, 3)}

    @torch.inference_mode()
    def evaluate(self, rows, perturbed=0):
        self.model.perturb_middle(perturbed)
        self.model(*self.rows[rows])

    def plain(self):
        self.evaluate(1)

    def pair(self):
        """CFG: one batch of two."""
        self.evaluate(2)

    def pag(self):
        """Plain and perturbed as one batch of two."""
        self.evaluate(2, perturbed=1)

    def guided(self):
        """CFG + PAG: one batch of [uncond, cond, cond-perturbed]."""
        self.evaluate(3, perturbed=1)

    def passes(self):
        """CFG + PAG: three passes one after the other."""
        self.evaluate(1)
        self.evaluate(1)
        self.evaluate(1, perturbed=1)


def export(config, folder):
    """Writes the network and, as raw float32, inputs of three rows and what torch makes of them, the last perturbed in `guided`."""
    os.makedirs(folder, exist_ok=True)
    model = build(config)
    example = inputs(config, 3, CHECKED_SIZE)
    with torch.no_grad():
        model.perturb_middle(1)
        guided = model(*example)
        model.perturb_middle(0)
        plain = model(*example)
    for name, tensor in {"sample": example[0], "text": example[2], "plain": plain, "guided": guided}.items():
        tensor.numpy().tofile(os.path.join(folder, f"{name}.f32"))
    write_onnx(model, inputs(config, 2, CHECKED_SIZE), os.path.join(folder, "unet.onnx"))
    for module in model.modules():
        module.written_out = True
    write_onnx(model, inputs(config, 2, CHECKED_SIZE), os.path.join(folder, "unet_written_out.onnx"))
    return {"parameters": sum(p.numel() for p in model.parameters()), "size": CHECKED_SIZE, "torch": torch.__version__}


def write_onnx(model, example, file):
    rows = {0: "batch_size"}
    torch.onnx.export(
        model,
        example,
        file,
        input_names=["sample", "timestep", "encoder_hidden_states"],
        output_names=["out_sample"],
        dynamic_axes={
            "sample": {**rows, 2: "height", 3: "width"},
            "timestep": {0: "steps"},
            "encoder_hidden_states": {**rows, 1: "sequence_length"},
            "out_sample": {**rows, 2: "height", 3: "width"},
        },
        opset_version=17,
        dynamo=False,
    )


if __name__ == "__main__":
    made = export(QUARTER, sys.argv[1])
    with open(os.path.join(sys.argv[1], "made.json"), "w") as file:
        json.dump(made, file)
    print(json.dumps(made))
