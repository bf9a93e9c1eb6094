/** Runs a sampler to its end and returns the sample: the value that the generator returns. Its steps are dropped. */
export async function last<T>(steps: AsyncGenerator<unknown, T, void>): Promise<T> {
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return value;
  }
}
