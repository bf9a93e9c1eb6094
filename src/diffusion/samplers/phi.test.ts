import { expect, test } from "vitest";
import { integrate } from "./lagrange.ts";
import { phi } from "./phi.ts";

test.each([
  // k, z, phi_k(z): the series in 60 decimal digits.
  [1, -30, 3.3333333333330214e-2],
  [1, -2.5, 3.6716600055044048e-1],
  [1, -0.3, 8.6393926439427378e-1],
  [1, -1e-5, 9.9999500001666663e-1],
  [1, 1.999, 3.1924315838562119],
  [1, 12, 1.356281595158366e4],
  [2, -30, 3.2222222222222326e-2],
  [2, -1.9, 2.9073922970156096e-1],
  [2, 1e-5, 5.0000166667083334e-1],
  [2, 0.7, 6.4031164789893168e-1],
  [2, 12, 1.1301513292986383e3],
  [3, -30, 1.5592592592592589e-2],
  [3, -2.5, 9.8746560088070477e-2],
  [3, -1e-5, 1.6666625000083333e-1],
  [3, 1.999, 2.9853135268389869e-1],
  [3, 2.001, 2.9873272068077769e-1],
  [3, 12, 9.4137610774886528e1],
  [5, -2.5, 5.7994496140912763e-3],
  [5, -1.9, 6.2707056857324746e-3],
  [5, 1e-5, 8.3333472222420635e-3],
  [5, 2.001, 1.2160599863514275e-2],
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
