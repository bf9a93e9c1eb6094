import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { UsageError } from "./errors.ts";
import { type TorchFloat, type TorchGenerator, torchGenerator } from "./torchGenerator.ts";

interface Call {
  readonly op: string;
  readonly shape?: readonly number[];
  readonly dtype?: string;
  readonly n?: number;
  readonly low?: number;
  readonly high?: number;
  readonly mean?: number;
  readonly std?: number;
  readonly a?: number;
  readonly b?: number;
  readonly p?: number;
  readonly out: {
    readonly shape: readonly number[];
    readonly dtype: string;
    readonly sha256: string;
    readonly values?: readonly number[];
    readonly first?: readonly number[];
    readonly last?: readonly number[];
    readonly sum?: number;
  };
}

// Outputs of torch 2.13.0's CPU generator: one generator a row, its calls in order (tests/fixtures/rng).
const fixture = new URL("../../tests/fixtures/rng/torch_cpu.json", import.meta.url);
const rows = JSON.parse(readFileSync(fixture, "utf8")) as { id: string; seed: string; calls: Call[] }[];

const round = (values: Float64Array, dtype: string | undefined): Float64Array =>
  dtype === "float32" ? values.map(Math.fround) : values;

/** What a call of torch gives; those that are no method here follow from the ones that are. */
function draw(generator: TorchGenerator, call: Call): ArrayLike<number> {
  const { op, dtype } = call;
  const float = (dtype ?? "float32") as TorchFloat;
  const count = call.out.shape.reduce((a, b) => a * b, 1);
  switch (op) {
    case "randn":
      return generator.randn(count, float);
    case "rand":
      return generator.rand(count, float);
    case "randint":
      return generator.randint(call.low!, call.high!, count);
    case "randperm":
      return generator.randperm(call.n!);
    case "normal_":
      return round(
        generator.randn(count, float).map((z) => z * call.std! + call.mean!),
        dtype,
      );
    case "uniform_":
      return round(
        generator.rand(count, float).map((u) => u * (call.b! - call.a!) + call.a!),
        dtype,
      );
    case "bernoulli":
      return generator.rand(count, float).map((u) => Number(u < Math.fround(call.p!)));
    case "exponential_":
      return round(
        generator.rand(count, "float64").map((u) => -Math.log1p(-u)),
        dtype,
      );
    default:
      throw new Error(`no rule for ${op}`);
  }
}

/** Of the array's bytes in its dtype. */
function sha256(values: readonly number[], dtype: string): string {
  const typed = {
    float32: () => Float32Array.from(values),
    float64: () => Float64Array.from(values),
    int32: () => Int32Array.from(values),
    int64: () => BigInt64Array.from(values, BigInt),
  }[dtype]!();
  return createHash("sha256").update(new Uint8Array(typed.buffer)).digest("hex");
}

/** Whole numbers and uniforms are exact; normals agree but for log, sin and cos, whose float32 forms torch vectorises. */
const isExact = ({ op }: Pick<Call, "op">): boolean =>
  ["randint", "randperm", "rand", "uniform_", "bernoulli"].includes(op);

function tolerance({ op, dtype, out, std }: Call): number {
  const count = out.shape.reduce((a, b) => a * b, 1);
  if (isExact({ op })) return 0;
  if (dtype === "float64") return 1e-13;
  return count >= 16 ? 4e-6 * (std ?? 1) : 1e-7 * (std ?? 1);
}

test.each(rows.map((row) => [row.id, row] as const))("%s is torch's", (_, { seed, calls }) => {
  const generator = torchGenerator(BigInt(seed));
  for (const call of calls) {
    const got = Array.from(draw(generator, call));
    const { values, first, last } = call.out;
    const abs = tolerance(call);
    if (values) expect(got).toBeAllClose(values, { abs });
    if (first) expect(got.slice(0, first.length)).toBeAllClose(first, { abs });
    if (last) expect(got.slice(-last.length)).toBeAllClose(last, { abs });
    // Whole numbers from 2^53 on are the nearest float64.
    if (isExact(call) && (call.high ?? 0) <= 2 ** 53)
      expect(sha256(got, call.out.dtype)).toBe(call.out.sha256);
    expect(got).toHaveLength(call.out.shape.reduce((a, b) => a * b, 1));
  }
});

test("only a seed's low 32 bits count", () => {
  const first = (seed: number | bigint): number => torchGenerator(seed).rand(1)[0];
  expect(first(2 ** 32 + 42)).toBe(first(42));
  expect(first(-1n)).toBe(first(2 ** 32 - 1));
  expect(() => torchGenerator(1.5)).toThrow(UsageError);
});
