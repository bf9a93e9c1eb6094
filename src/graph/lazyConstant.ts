import type { Constant, ConstantArray, Rest } from "./graph.ts";

/** A constant whose data `read` fetches when it is looked at, and again when memory was needed for something else. */
export function lazyConstant(
  type: Pick<Constant, "dtype" | "shape">,
  read: () => ConstantArray,
  rest?: Rest,
): Constant {
  let kept: WeakRef<ConstantArray> | undefined;
  const { dtype, shape } = type;
  return {
    dtype,
    shape,
    get data() {
      const known = kept?.deref();
      if (known) return known;
      const data = read();
      kept = new WeakRef(data);
      return data;
    },
    ...(rest && { rest }),
  };
}
