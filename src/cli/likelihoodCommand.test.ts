import { describe, expect, test } from "vitest";
import { runCli } from "./run.ts";

async function run(...argv: string[]) {
  const written = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({ write: (text: string) => (written[name] += text) });
  const code = await runCli(argv, { stdout: stream("out"), stderr: stream("err") });
  return { code, ...written };
}

interface Mean {
  readonly mean: number;
  readonly error: number | null;
}

describe("likelihood", () => {
  test("of points says the model's log density, the exact one, and what is lost", async () => {
    const argv = ["likelihood", "tree", "--samples", "5", "--steps", "12", "--quiet"];
    const { code, out } = await run(...argv);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^5 of tree under tree, followed from sigma 0.002 to 5: .*, 24 places on each path\n/,
    );
    expect(out).toMatch(/log p: -?\d+\.\d{3} \+- \d+\.\d{3} nats\n/);
    expect(out).toMatch(/bits per dimension: -?\d+\.\d{3} \+- \d+\.\d{3}, of 2 dimensions\n/);
    expect(out).toMatch(/exact log p: .* nats; the model loses /);

    const { nats, exact, each } = JSON.parse((await run(...argv, "--json")).out) as {
      nats: Mean;
      exact: { nats: Mean; lost: Mean };
      each: number[];
    };
    expect(each).toHaveLength(5);
    expect(nats.mean).toBeAllClose(each.reduce((sum, value) => sum + value, 0) / 5, { rel: 1e-12 });
    const squares = each.reduce((sum, value) => sum + (value - nats.mean) ** 2, 0);
    expect(nats.error).toBeAllClose(Math.sqrt(squares / 4 / 5), { rel: 1e-12 });
    expect(exact.lost.mean).toBeAllClose(exact.nats.mean - nats.mean, { abs: 1e-12 });
  });

  test("of one sample has no standard error", async () => {
    const { out } = await run("likelihood", "tree", "--samples", "1", "--steps", "2", "--quiet", "--json");
    expect((JSON.parse(out) as { nats: Mean }).nats.error).toBe(null);
  });

  test.each<[string[], RegExp]>([
    [["nowhere"], /there is no model "nowhere"/],
    [["tree", "--samples", "0"], /--samples wants a whole number from 1 to 1000000, got "0"/],
    [["tree", "--tolerance", "-1"], /--tolerance wants a number above 0, got "-1"/],
    [["tree", "--data", "sample"], /leave out --data/],
    [["tree", "--label", "Sandal"], /tree has no class "Sandal"; its classes are 0 A/],
    [["fashion-mnist", "--label", "Sandals"], /has no class "Sandals"; its classes are 0 T-shirt\/top/],
    [["fashion-mnist", "--data", "nothing"], /there is no data set or folder "nothing"/],
  ])("refuses %j in one sentence", async (argv, message) => {
    const { code, out, err } = await run("likelihood", ...argv, "--quiet");
    expect([code, out]).toEqual([2, ""]);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(err).toMatch(message);
  });
});
