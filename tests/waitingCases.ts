/** Gradient cases that fail as yet, each with what it waits for. Take out what passes: the test fails on it. */
export const waiting: Readonly<Record<string, string>> = {
  depthtospace_crd: "a rule for DepthToSpace",
  depthtospace_dcr: "a rule for DepthToSpace",
  gridsample_opset20: "a rule for GridSample",
  nonzero_path: "a rule for NonZero",
  pad_constant_value_input: "all forms of Pad",
  pad_edge: "all forms of Pad",
  pad_reflect: "all forms of Pad",
  pad_wrap_opset19: "all forms of Pad",
  spacetodepth: "a rule for SpaceToDepth",
};
