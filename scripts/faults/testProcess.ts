import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Order, Reply } from "./child.ts";

/** Tests that take longer hang. */
const LIMIT_MS = 180_000;

/** A process that runs tests; a new one takes its place where one hangs. */
export class TestProcess {
  #process: ChildProcess | undefined;

  async run(order: Order): Promise<Reply> {
    const child = this.#process ?? (await this.#started());
    this.#process = child;
    return new Promise((resolve) => {
      const done = (reply: Reply): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(reply);
      };
      const replaced = (killer: string): void => {
        this.end();
        done({ killer });
      };
      const timer = setTimeout(() => replaced("the clock: its tests hang"), LIMIT_MS);
      child.once("message", (reply: Reply) => done(reply));
      child.once("exit", () => replaced("its tests end the process"));
      child.send(order);
    });
  }

  end(): void {
    this.#process?.kill("SIGKILL");
    this.#process = undefined;
  }

  #started(): Promise<ChildProcess> {
    const child = fork(fileURLToPath(new URL("child.ts", import.meta.url)), {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    return new Promise((resolve, reject) => {
      child.once("message", () => resolve(child));
      child.once("exit", () => reject(new Error("the process that runs tests does not start")));
    });
  }
}
