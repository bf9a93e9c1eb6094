import { Worker } from "node:worker_threads";
import type { RuntimeTensor } from "./runtime.ts";

/** A worker thread that answers calls, and what is known of it on this side. */
export interface LaneWorker {
  /** Calls in progress. */
  readonly waiting: number;
  /** Rejects with what the thread threw, or once the thread has ended. */
  call(message: Record<string, unknown>): Promise<Record<string, RuntimeTensor>>;
  /** Lets calls in progress finish, and ends the thread. */
  end(): Promise<void>;
}

interface Answer {
  readonly call: number;
  readonly result?: Record<string, RuntimeTensor>;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (result: Record<string, RuntimeTensor>) => void;
  readonly reject: (error: Error) => void;
}

/** Starts the thread of one lane. It keeps the process alive only while a call is in progress. */
export function startLaneWorker(): LaneWorker {
  const worker = new Worker(new URL("./lane.mjs", import.meta.url));
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  /** Why no more calls are taken. */
  let over: Error | null = null;
  let whenIdle = (): void => undefined;

  const settled = (): void => {
    if (waiting.size > 0) return;
    worker.unref();
    whenIdle();
  };
  const lose = (why: string): void => {
    over ??= new Error(why);
    for (const { reject } of waiting.values()) reject(over);
    waiting.clear();
    settled();
  };
  worker.unref();
  worker.on("message", ({ call, result, error }: Answer) => {
    const { resolve, reject } = waiting.get(call)!;
    waiting.delete(call);
    if (error === undefined) resolve(result!);
    else reject(new Error(error));
    settled();
  });
  worker.on("error", (error) => lose(`its worker thread failed (${error.message}); open the runtime again`));
  const ended = new Promise<void>((resolve) => {
    worker.on("exit", (code) => {
      lose(`its worker thread ended (exit code ${code}); open the runtime again`);
      resolve();
    });
  });

  return {
    get waiting() {
      return waiting.size;
    },
    call(message) {
      if (over) return Promise.reject(over);
      const call = calls++;
      worker.ref();
      return new Promise((resolve, reject) => {
        waiting.set(call, { resolve, reject });
        worker.postMessage({ ...message, call });
      });
    },
    // A thread that is stopped while ONNX Runtime loads, runs or frees something takes the process with it: it is asked to end.
    async end() {
      over ??= new Error("the runtime was disposed of");
      if (waiting.size > 0) await new Promise<void>((resolve) => (whenIdle = resolve));
      worker.postMessage({ kind: "end" });
      // A closing thread no longer keeps this one waiting: without a timer the process could end before it.
      const waits = setInterval(() => undefined, 1000);
      await ended;
      clearInterval(waits);
    },
  };
}
