import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../peers/torch_peer.py", import.meta.url));

/** A Python process that runs the same work in torch and waits, idle, while ours runs. */
export interface TorchPeer {
  /** For example "torch 2.13.0+cpu, 2 threads". */
  readonly name: string;
  /** Builds a workload ("unet", "unet-channels-last", "tree" or "sd") and returns its number of parameters. */
  open(workload: string, config?: object): Promise<number>;
  /** Runs `workload.action` so many times and returns the milliseconds of each. */
  run(action: string, times: number): Promise<number[]>;
  close(): Promise<void>;
}

type Answer = Record<string, unknown> & { error?: string };

/** Sends requests, one line of JSON each, and gives back the answers in order. */
function conversation(child: ChildProcessWithoutNullStreams) {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const receive = async (): Promise<Answer> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`The torch peer ended early (exit code ${child.exitCode}).`);
    return JSON.parse(value) as Answer;
  };
  const ask = async (request: object): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = await receive();
    if (answer.error !== undefined)
      throw new Error(`The torch peer answers ${JSON.stringify(request)}: ${answer.error}`);
    return answer;
  };
  return { receive, ask };
}

/**
 * Starts the Python peer; returns null, and says on stderr what is missing, where there is no Python with torch.
 *
 * The Python is $FAIRLEAD_PYTHON, or python3.
 */
export async function openTorchPeer({ threads = 2 } = {}): Promise<TorchPeer | null> {
  const python = process.env.FAIRLEAD_PYTHON ?? "python3";
  const child = spawn(python, [SCRIPT, "--threads", String(threads)]);
  child.stderr.pipe(process.stderr);
  const skip = (why: string): null => {
    console.error(`Torch peer skipped: ${why}. Set FAIRLEAD_PYTHON to a Python that can \`import torch\`.`);
    return null;
  };
  try {
    await once(child, "spawn");
  } catch {
    return skip(`${python} does not start`);
  }
  const { receive, ask } = conversation(child);
  const greeting = await receive();
  if (greeting.error !== undefined) return skip(`${python}: ${greeting.error}`);

  return {
    name: `torch ${String(greeting.torch)}, ${String(greeting.threads)} threads`,
    open: async (workload, config = {}) => (await ask({ open: workload, config })).parameters as number,
    run: async (action, times) => (await ask({ run: action, times })).milliseconds as number[],
    close: async () => {
      const closed = once(child, "close");
      child.stdin.end();
      await closed;
    },
  };
}
