import { count, duration, rate } from "./format.ts";

/** What a progress line writes to; process.stderr is one. */
export interface TextStream {
  write(text: string): unknown;
  /** Width of the terminal in characters, where it is one. */
  readonly columns?: number;
}

export interface ProgressOptions {
  /** How many there are in all; null where it is not known (no percentage, no ETA). */
  readonly total: number | null;
  /** What is counted, as it stands behind a number: "img", "samples", "steps". */
  readonly unit: string;
  /** What is being done: "training fashion-mnist". */
  readonly label: string;
  readonly stream: TextStream;
  /** true: one line redrawn in place. false: a plain line about every 10 s, for logs. */
  readonly isTTY: boolean;
  /** A clock in seconds; only differences matter. Default: performance.now() / 1000. */
  readonly now?: () => number;
  /** How many were done before this run, as after a resume; they count in the bar but not in the rate. Default 0. */
  readonly from?: number;
  /** Write nothing at all, as under --json and --quiet. Default false. */
  readonly silent?: boolean;
}

export interface Progress {
  /** `done` are finished in all; `extra` is shown behind the numbers ("loss 0.0312"). */
  update(done: number, extra?: string): void;
  /** Writes a line of its own, above the progress line where that is redrawn in place. */
  note(text: string): void;
  /** Ends the line with what was done and how long it took. Later calls do nothing. */
  done(): void;
}

const redrawSeconds = 0.1;
const logSeconds = 10;
const eraseLine = "\r\u001b[2K";

/**
 * A progress line: label, percentage, count, rate and the time left.
 *
 *   rate = (done - from) / elapsed,  ETA = (total - done) / rate
 *
 * The rate is the mean since the start, pauses for previews and checkpoints included: that is what the ETA needs.
 */
export function createProgress(options: ProgressOptions): Progress {
  const { total, unit, label, stream, isTTY, from = 0, silent = false } = options;
  const now = options.now ?? (() => performance.now() / 1000);
  const start = now();
  let current = from;
  let extra = "";
  let lastWrite = isTTY ? -Infinity : start;
  let ended = silent;

  const perSecond = (): number => (current - from) / (now() - start);

  const line = (): string => {
    const speed = perSecond();
    const counted = total === null ? count(current) : `${count(current)}/${count(total)}`;
    const parts = [`${counted} ${unit}`];
    if (speed > 0 && Number.isFinite(speed)) {
      parts.push(rate(speed, unit));
      if (total !== null) parts.push(`${duration((total - current) / speed)} left`);
    }
    if (extra !== "") parts.push(extra);
    const share = total === null || total === 0 ? "" : ` ${Math.floor((100 * current) / total)} %`;
    return `${label}${share}  ${parts.join(" · ")}`;
  };

  const draw = (): void => {
    stream.write(isTTY ? eraseLine + fitted(line(), stream.columns) : `${line()}\n`);
    lastWrite = now();
  };

  return {
    update(done, text = "") {
      if (ended) return;
      current = done;
      extra = text;
      if (now() - lastWrite >= (isTTY ? redrawSeconds : logSeconds)) draw();
    },
    note(text) {
      if (silent) return;
      stream.write(isTTY && !ended ? `${eraseLine}${text}\n` : `${text}\n`);
      if (isTTY && !ended) draw();
    },
    done() {
      if (ended) return;
      ended = true;
      const speed = perSecond();
      const rateText = Number.isFinite(speed) && speed > 0 ? ` (${rate(speed, unit)})` : "";
      const summary = `${label}  ${count(current)} ${unit} in ${duration(now() - start)}${rateText}`;
      const text = extra === "" ? summary : `${summary} · ${extra}`;
      stream.write(`${isTTY ? eraseLine : ""}${text}\n`);
    },
  };
}

/** Cut to the terminal's width, for a line that wraps cannot be redrawn in place. */
function fitted(text: string, columns: number | undefined): string {
  const characters = Array.from(text);
  if (columns === undefined || columns < 1 || characters.length < columns) return text;
  return `${characters.slice(0, Math.max(0, columns - 2)).join("")}…`;
}
