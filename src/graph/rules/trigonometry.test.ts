import { gradientSuite } from "./gradients.cases.ts";

const anywhere = { from: -2, to: 2 };
const inside = { from: -0.9, to: 0.9 };
const ranges = {
  Sin: anywhere,
  Cos: anywhere,
  Tan: { from: -1.2, to: 1.2 },
  Asin: inside,
  Acos: inside,
  Atan: anywhere,
  Sinh: anywhere,
  Cosh: anywhere,
  Tanh: anywhere,
  Asinh: anywhere,
  Acosh: { from: 1.2, to: 4 },
  Atanh: inside,
};

gradientSuite(
  Object.entries(ranges).map(([op, range]) => ({
    name: op,
    inputs: { x: { shape: [2, 4], ...range } },
    network: ({ x }) => x.builder.apply(op, [x])[0],
  })),
);
