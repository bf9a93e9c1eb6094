import { z } from "zod";
import { UsageError } from "../../base/errors.ts";
import type { Graph } from "../../graph/graph.ts";
import { mergeBranches } from "../../graph/merge.ts";
import { optimise } from "../../graph/optimise/optimise.ts";
import { type Perturbation, perturb } from "../../graph/perturb.ts";
import { bindShapes, differentiate, simplify } from "../../graph/transform.ts";
import { openGraph } from "../../models/openGraph.ts";
import { count } from "../../report/format.ts";
import { saveOnnxFile } from "../../files/onnxFile.ts";
import { assertBound, bindings, bound } from "../bindings.ts";
import { type Io, print, printJson } from "../io.ts";
import { common, readOptions } from "../options.ts";
import { parsePerturbation } from "../perturbationText.ts";

const texts = z.array(z.string()).default([]);

const options = {
  json: common.json,
  bind: bindings.default({}),
  perturb: texts,
  merge: z.boolean().default(false),
  gradient: texts,
  simplify: z.boolean().default(false),
  optimise: z.boolean().default(false),
  output: z.string().min(1, "the name of a file").optional(),
};

/** `fairlead rewrite MODEL ... -o OUT`: a graph bound, perturbed, merged, differentiated or simplified, as an .onnx file. */
export async function runRewrite(io: Io, model: string, given: unknown): Promise<number> {
  const wanted = readOptions(options, given);
  const { output, bind } = wanted;
  if (output === undefined) throw new UsageError("rewrite needs a file to write: add -o OUT.onnx");
  const shaped = wanted.perturb.length + wanted.gradient.length > 0 || wanted.simplify || wanted.optimise;
  if (!shaped && Object.keys(bind).length === 0) {
    throw new UsageError(
      "rewrite changes nothing as it stands: add --perturb, --gradient, --bind, --simplify or --optimise; " +
        "fairlead rewrite --help has examples",
    );
  }
  if (wanted.merge && wanted.perturb.length === 0)
    throw new UsageError("--merge puts the plain and the perturbed network in one graph: add --perturb");
  const perturbations = wanted.perturb.map(parsePerturbation);

  // A graph keeps its open dimensions where nothing needs their sizes.
  const { graph: opened } = await openGraph(model);
  let graph = shaped ? bound(opened, bind) : bindShapes(opened, bind);
  if (shaped) assertBound(graph, "rewriting");
  graph = wanted.merge ? merged(graph, perturbations) : perturbations.reduce(perturb, graph);
  graph = wanted.gradient.reduce(withGradient, graph);
  if (wanted.optimise) graph = optimise(graph);
  else if (wanted.simplify) graph = simplify(graph);

  await saveOnnxFile(graph, output);
  const { inputs, outputs, nodes } = graph;
  if (wanted.json) printJson(io, { file: output, inputs, outputs, nodes: nodes.length });
  else {
    print(io, `${output}: ${count(nodes.length)} nodes`);
    print(io, `  inputs   ${inputs.map(typeText).join(", ")}`);
    print(io, `  outputs  ${outputs.map(typeText).join(", ")}`);
  }
  return 0;
}

const typeText = ({ name, dtype, shape }: Graph["inputs"][number]): string =>
  `${name} ${dtype} [${shape.join(", ")}]`;

/** The plain network and each perturbed one in one graph: outputs "plain", "perturbed" (or "perturbed/0", "perturbed/1", ...). */
function merged(graph: Graph, perturbations: readonly Perturbation[]): Graph {
  const several = perturbations.length > 1;
  return mergeBranches(graph, [
    { name: "plain" },
    ...perturbations.map((perturbation, i) => ({
      name: several ? `perturbed/${i}` : "perturbed",
      perturbation,
    })),
  ]).graph;
}

/** INPUT, or OUTPUT:INPUT: the gradient of the sum of the output's elements, as a further output "gradient/INPUT". */
function withGradient(graph: Graph, wanted: string): Graph {
  const output = graph.outputs.find(({ name }) => wanted.startsWith(`${name}:`));
  const input = output ? wanted.slice(output.name.length + 1) : wanted;
  return differentiate(graph, output?.name ?? graph.outputs[0].name, [input]);
}
