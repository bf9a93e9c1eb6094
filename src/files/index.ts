/** ONNX files in Node, with the files of their tensors. */
export { besideModel } from "./besideModel.ts";
export type { SaveOptions } from "./onnxFile.ts";
export { openOnnxFile, saveOnnxFile } from "./onnxFile.ts";
