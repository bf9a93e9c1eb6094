/**
 * Names in a dimension: "h" of "h", "4*h" and "(h - 1)//2 + 1", as PyTorch's exporter writes sizes that depend on one another.
 * A text that is no expression is a name itself.
 */
export function namesIn(dimension: string): readonly string[] {
  const tree = parse(dimension);
  return tree ? [...new Set(tree.names)] : [dimension];
}

/** A dimension's size where the sizes of its names are known, and it is a whole number; else null. */
export function sizeFrom(dimension: string, sizes: Readonly<Record<string, number>>): number | null {
  if (Object.hasOwn(sizes, dimension)) return sizes[dimension];
  const tree = parse(dimension);
  if (!tree?.names.every((name) => Object.hasOwn(sizes, name))) return null;
  const size = tree.value(sizes);
  return Number.isInteger(size) && size >= 0 ? size : null;
}

/** The value of `name` for which a dimension "name" or "k*name" has this size; null for other forms, and none that fits. */
export function solveFor(dimension: string, size: number): readonly [name: string, value: number] | null {
  const names = namesIn(dimension);
  if (names.length !== 1) return null;
  const factor = sizeFrom(dimension, { [names[0]]: 1 });
  const twice = sizeFrom(dimension, { [names[0]]: 2 });
  if (!factor || twice !== 2 * factor || size % factor !== 0) return null;
  return sizeFrom(dimension, { [names[0]]: size / factor }) === size ? [names[0], size / factor] : null;
}

interface Tree {
  readonly names: readonly string[];
  value(sizes: Readonly<Record<string, number>>): number;
}

type Operation = (...operands: number[]) => number;

const operations: Readonly<Record<string, Operation>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "//": (a, b) => Math.floor(a / b),
  "%": (a, b) => a - b * Math.floor(a / b),
};

const functions: Readonly<Record<string, Operation>> = {
  floor: Math.floor,
  ceiling: Math.ceil,
  max: Math.max,
  min: Math.min,
};

const combined = (operation: Operation, operands: readonly Tree[]): Tree => ({
  names: operands.flatMap(({ names }) => names),
  value: (sizes) => operation(...operands.map((operand) => operand.value(sizes))),
});

/** The expression in a text; null for a text that is none. */
function parse(text: string): Tree | null {
  const tokens = text.match(/\s*(?:\/\/|[-+*/%(),]|\d+|[A-Za-z_][\w.]*)\s*/g) ?? [];
  if (tokens.join("") !== text) return null;
  let at = 0;
  const next = (): string => (tokens[at] ?? "").trim();
  const take = (): string => (tokens[at++] ?? "").trim();

  const chain = (operand: () => Tree | null, signs: readonly string[]): Tree | null => {
    let left = operand();
    while (left && signs.includes(next())) {
      const operation = operations[take()];
      const right = operand();
      left = right && combined(operation, [left, right]);
    }
    return left;
  };
  const sum = (): Tree | null => chain(product, ["+", "-"]);
  const product = (): Tree | null => chain(atom, ["*", "/", "//", "%"]);

  const atom = (): Tree | null => {
    const token = take();
    if (token === "(") {
      const inner = sum();
      return take() === ")" ? inner : null;
    }
    if (/^\d/.test(token)) return { names: [], value: () => Number(token) };
    if (!/^[A-Za-z_]/.test(token)) return null;
    if (next() === "(") return call(functions[token.toLowerCase()]);
    return { names: [token], value: (sizes) => sizes[token] };
  };
  const call = (operation: Operation | undefined): Tree | null => {
    const operands: Tree[] = [];
    do {
      at++;
      const operand = sum();
      if (!operand || !operation) return null;
      operands.push(operand);
    } while (next() === ",");
    return take() === ")" ? combined(operation, operands) : null;
  };

  const tree = sum();
  return at === tokens.length ? tree : null;
}
