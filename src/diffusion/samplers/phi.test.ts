import { expect, test } from "vitest";
import { integrate } from "./lagrange.ts";
import { phi } from "./phi.ts";

test.each([
  // k, z, phi_k(z): the series in 60 decimal digits.
  [1, -30, 0.03333333333333022],
  [1, -2.5, 0.36716600055044046],
  [1, -0.3, 0.8639392643942738],
  [1, -1e-5, 0.9999950000166666],
  [1, 1.999, 3.192431583856212],
  [1, 12, 13562.81595158366],
  [2, -30, 0.032222222222222326],
  [2, -1.9, 0.29073922970156096],
  [2, 1e-5, 0.5000016666708333],
  [2, 0.7, 0.6403116478989317],
  [2, 12, 1130.1513292986383],
  [3, -30, 0.015592592592592588],
  [3, -2.5, 0.09874656008807048],
  [3, -1e-5, 0.16666625000083332],
  [3, 1.999, 0.2985313526838987],
  [3, 2.001, 0.29873272068077766],
  [3, 12, 94.13761077488653],
  [5, -2.5, 0.005799449614091276],
  [5, -1.9, 0.006270705685732475],
  [5, 1e-5, 0.008333347222242063],
  [5, 2.001, 0.012160599863514275],
] as const)(
  "phi_%i(%f) = %f in full precision, beside 0 and on both sides of the series' end",
  (k, z, want) => {
    expect(phi(k, z)).toBeAllClose(want, { rel: 2e-14 });
  },
);

test("phi_0 is the exponential and phi_k(0) is 1/k!", () => {
  for (const z of [-3, -0.5, 0, 0.1, 2.5]) expect(phi(0, z)).toBeAllClose(Math.exp(z), { rel: 1e-15 });
  let factorial = 1;
  for (let k = 0; k <= 8; k++) {
    if (k > 0) factorial *= k;
    expect(phi(k, 0)).toBeAllClose(1 / factorial, { rel: 1e-15 });
  }
});

test.each([-8, -2.1, -1, -1e-7, 1e-7, 0.4, 1.9, 5])(
  "h phi_k(h) (k-1)! is the integral of e^(h-t) (t/h)^(k-1) over 0..h: h = %f",
  (h) => {
    let factorial = 1;
    for (let k = 1; k <= 6; k++) {
      if (k > 1) factorial *= k - 1;
      const pieces = 64;
      let want = 0;
      for (let i = 0; i < pieces; i++) {
        const f = (t: number): number => Math.exp(h - t) * (t / h) ** (k - 1);
        want += integrate(f, (i * h) / pieces, ((i + 1) * h) / pieces);
      }
      expect(h * phi(k, h) * factorial).toBeAllClose(want, { rel: 1e-12 });
    }
  },
);

test("each phi comes from the one before: z phi_{k+1}(z) = phi_k(z) - 1/k!", () => {
  for (const z of [-6, -2.0001, -1.9999, -0.6, 0.6, 1.9999, 2.0001, 6]) {
    let inverse = 1;
    for (let k = 0; k < 7; k++) {
      expect(z * phi(k + 1, z)).toBeAllClose(phi(k, z) - inverse, { abs: 1e-14, rel: 1e-13 });
      inverse /= k + 1;
    }
  }
});
