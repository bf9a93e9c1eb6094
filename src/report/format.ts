/** How numbers become text: the same in tables, progress lines, plots and reports. */

/** A time span in words: "820 ms", "3.4 s", "1 min 05 s", "2 h 05 min", "3 d 4 h"; "unknown" where it is not finite. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "unknown";
  if (seconds < 0.9995) return `${significant(seconds * 1000, seconds < 0.01 ? 2 : 3)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;

  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${twoDigits(whole % 60)} s`;

  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;

  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A whole number with thousands separated by commas: 8192 -> "8,192". */
export function count(n: number): string {
  return grouped(String(n));
}

/** A number of things: counted(1, "sample") -> "1 sample", counted(8192, "sample") -> "8,192 samples". */
export function counted(n: number, one: string): string {
  return `${count(n)} ${n === 1 ? one : `${one}s`}`;
}

/**
 * x rounded to `digits` significant digits, trailing zeros kept: 0.5 -> "0.500", 12345 -> "12,300".
 * Below 1e-4 and from 1e7 on it is written with an exponent: "1.23e-5".
 */
export function significant(x: number, digits = 3): string {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "-∞";

  const rounded = Number(x.toPrecision(digits));
  if (rounded === 0) return "0";
  const size = Math.abs(rounded);
  if (size < 1e-4 || size >= 1e7) return x.toExponential(digits - 1).replace("e+", "e");

  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return grouped(rounded.toFixed(decimals));
}

/** x with a fixed number of digits after the point: fixed(1234.5, 2) -> "1,234.50". */
export function fixed(x: number, decimals: number): string {
  if (!Number.isFinite(x)) return significant(x);
  const text = x.toFixed(decimals);
  return grouped(Number(text) === 0 ? text.replace("-", "") : text);
}

/** A fraction of 1 as a percentage: 0.9375 -> "93.8 %". */
export function percent(fraction: number, decimals = 1): string {
  return `${fixed(100 * fraction, decimals)} %`;
}

/** A size in bytes with a decimal prefix: 24_500_000 -> "24.5 MB". */
export function bytes(n: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, n < 1000 ? 0 : Math.floor(Math.log10(n) / 3));
  return power === 0 ? `${n} bytes` : `${significant(n / 1000 ** power)} ${units[power]}`;
}

/** Things a second: rate(12.34, "img") -> "12.3 img/s"; slow ones the other way round: "2.5 s/img". */
export function rate(perSecond: number, unit: string): string {
  if (!(perSecond > 0) || !Number.isFinite(perSecond)) return `? ${unit}/s`;
  return perSecond < 0.5 ? `${significant(1 / perSecond)} s/${unit}` : `${significant(perSecond)} ${unit}/s`;
}

function twoDigits(n: number): string {
  return String(n).padStart(2, "0");
}

function grouped(decimal: string): string {
  const [whole, fraction] = decimal.split(".");
  const separated = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? separated : `${separated}.${fraction}`;
}
