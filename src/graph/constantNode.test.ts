import { expect, test } from "vitest";
import { constantOf } from "./constant.ts";
import { constantNode } from "./constantNode.ts";
import type { Attribute, Constant } from "./graph.ts";

const held = (name: string, attribute: Attribute): Constant =>
  constantNode({
    op: "Constant",
    domain: "",
    name: "c",
    inputs: [],
    outputs: ["y"],
    attributes: { [name]: attribute },
  });

test("a Constant is read in every form that ONNX has", () => {
  const tensor = constantOf("int32", [2], [1, 2]);
  expect(held("value", { kind: "tensor", value: tensor })).toBe(tensor);
  expect(held("value_int", { kind: "int", value: 3 })).toEqual(constantOf("int64", [], [3]));
  expect(held("value_ints", { kind: "ints", value: [3, -1] })).toEqual(constantOf("int64", [2], [3, -1]));
  expect(held("value_float", { kind: "float", value: 0.5 })).toEqual(constantOf("float32", [], [0.5]));
  expect(held("value_floats", { kind: "floats", value: [0.5] })).toEqual(constantOf("float32", [1], [0.5]));
  const text = held("value_strings", { kind: "strings", value: ["a", "é"] });
  expect(text).toMatchObject({ dtype: "string", shape: [2] });
  expect(text.text!.map((bytes) => new TextDecoder().decode(bytes))).toEqual(["a", "é"]);
  expect(held("value_string", { kind: "string", value: "a" })).toMatchObject({ dtype: "string", shape: [] });
  const sparse = {
    values: constantOf("float32", [2], [5, 7]),
    indices: constantOf("int64", [2], [1, 3]),
    shape: [2, 2],
  };
  expect(Array.from(held("sparse_value", { kind: "sparse", value: sparse }).data, Number)).toEqual([
    0, 5, 0, 7,
  ]);
});

test("a Constant without a tensor is an error that names the node", () => {
  const node = { op: "Constant", domain: "", name: "c", inputs: [], outputs: ["y"], attributes: {} };
  expect(() => constantNode(node)).toThrow(
    'node "c" is a Constant given as nothing: wanted value, value_int',
  );
});
