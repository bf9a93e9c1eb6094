import type { Branch, Denoiser } from "../diffusion/denoiser.ts";

export interface Recording<C> extends Denoiser<C> {
  /** The branches of every call so far, in order. */
  readonly calls: (readonly Branch<C>[])[];
}

/** The same denoiser, remembering what it is asked. */
export function recording<C>(denoiser: Denoiser<C>): Recording<C> {
  const calls: (readonly Branch<C>[])[] = [];
  return {
    shape: denoiser.shape,
    calls,
    ...(denoiser.attended && { attended: denoiser.attended.bind(denoiser) }),
    denoise(x, sigma, branches) {
      calls.push(branches);
      return denoiser.denoise(x, sigma, branches);
    },
    vjp: denoiser.vjp,
  };
}
