import type { Output } from "./io.ts";

const logSeconds = 10;

/** One line that says how far a long command is. */
export interface StatusLine {
  /** Shows the latest state: redrawn in place on a terminal, else a line about every 10 s. */
  show(text: string): void;
  /** A line that stays. */
  note(text: string): void;
  /** Ends the line; it stays on the screen. */
  end(): void;
}

/** @param silent writes nothing at all */
export function statusLine(stream: Output, silent = false): StatusLine {
  const isTTY = stream.isTTY === true;
  let shown = "";
  let lastLog = performance.now();
  const erase = (): void => {
    if (isTTY && shown !== "") stream.write("\r\u001b[2K");
    shown = "";
  };
  return {
    show(text) {
      if (silent) return;
      if (isTTY) {
        erase();
        shown = text.slice(0, Math.max(1, (stream.columns ?? 80) - 1));
        stream.write(shown);
      } else if (performance.now() - lastLog >= 1000 * logSeconds) {
        stream.write(`${text}\n`);
        lastLog = performance.now();
      }
    },
    note(text) {
      if (silent) return;
      erase();
      stream.write(`${text}\n`);
    },
    end() {
      if (!silent && shown !== "") stream.write("\n");
      shown = "";
    },
  };
}
