import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { attentionLayers } from "../src/graph/attention.ts";
import { readOnnx } from "../src/graph/onnx/readOnnx.ts";

const models = new URL("../../shared/fixtures/gradients/models/", import.meta.url).pathname;

/** Every model of the folder, and its attention layers in the order in which they run. */
const wanted: readonly (readonly [string, readonly string[]])[] = [
  ["convnext", []],
  ["mobilenetv3", []],
  ["resnet", []],
  ["resnet_folded", []],
  ["noisy_classifier", ["a2", "am"]],
  ["vit", [0, 1, 2].map((i) => `m.vit.layers.${i}.attention`)],
  ["vit_opset13", [0, 1, 2].map((i) => `m.vit.layers.${i}.attention`)],
  [
    "clip",
    ["vision_model", "text_model"].flatMap((part) =>
      [0, 1].map((i) => `${part}.encoder.layers.${i}.self_attn`),
    ),
  ],
];

// The networks are large for a repository; without their folder only the exported denoiser kept here is looked at.
describe.skipIf(!existsSync(models)).each(["script", "dynamo"])("of the %s exporter", (exporter) => {
  test.each(wanted)("%s has the attention layers %j", (model, names) => {
    const found = attentionLayers(readOnnx(readFileSync(`${models}${model}/${exporter}.onnx`)));
    // The dynamo exporter keeps the wrapper's name in front.
    expect(found.map(({ name }) => name.replace(/^m\.(?=vision|text)/, ""))).toEqual(names);
    expect(new Set(found.map(({ kind }) => kind))).toEqual(new Set(names.length > 0 ? ["self"] : []));
    const masked = found.filter((layer) => layer.masked).map(({ name }) => name);
    for (const name of names.filter((one) => one.startsWith("text_model")))
      expect(masked.some((one) => one.endsWith(name))).toBe(true);
  });
});
