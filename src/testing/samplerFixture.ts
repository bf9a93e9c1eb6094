import { readFileSync } from "node:fs";

/** A run of k-diffusion: the file's README in tests/fixtures/samplers says what each field is. */
export interface ReferenceRun {
  readonly id: string;
  readonly sigmas_id: string;
  readonly options: Readonly<Record<string, number | string>>;
  readonly x_start: readonly number[];
  readonly states: readonly (readonly number[])[];
  readonly model_sigmas: readonly number[];
  /** Where the sampler has no grid. */
  readonly sigma_min?: number;
  readonly sigma_max?: number;
  readonly info?: { readonly n_reject: number };
  /** Evaluations of dpm_fast. */
  readonly n?: number;
}

interface Common {
  readonly batch: number;
  readonly dim: number;
  readonly mixture: {
    readonly weights: readonly number[];
    readonly means: readonly (readonly number[])[];
    readonly covs: readonly (readonly (readonly number[])[])[];
  };
  readonly denoiser_checks: readonly {
    readonly x: readonly (readonly number[])[];
    readonly sigma: number;
    readonly denoised: readonly (readonly number[])[];
  }[];
  readonly noise: readonly (readonly number[])[];
  readonly sigmas: Readonly<
    Record<string, { readonly spec: Readonly<Record<string, number>>; readonly values: readonly number[] }>
  >;
}

interface AncestralStep {
  readonly sigma_from: number;
  readonly sigma_to: number;
  readonly eta: number;
  readonly sigma_down: number;
  readonly sigma_up: number;
}

/** Reference data of tests/fixtures/samplers, for tests. */
export function samplerFixture(name: "common"): Common;
export function samplerFixture(name: "ancestral_step"): readonly AncestralStep[];
export function samplerFixture(name: `sample_${string}`): readonly ReferenceRun[];
export function samplerFixture(name: string): unknown {
  return JSON.parse(
    readFileSync(new URL(`../../tests/fixtures/samplers/${name}.json`, import.meta.url), "utf8"),
  );
}
