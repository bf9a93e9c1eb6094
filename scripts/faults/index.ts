import { conditionFaults } from "./conditions.ts";
import type { Fault } from "./fault.ts";
import { guidanceFaults } from "./guidance.ts";
import { samplerFaults } from "./samplers.ts";
import { randomFaults, scheduleFaults, schedulerFaults } from "./schedules.ts";

/** Every fault that the script seeds. */
export const faults: readonly Fault[] = [
  ...guidanceFaults,
  ...conditionFaults,
  ...samplerFaults,
  ...scheduleFaults,
  ...schedulerFaults,
  ...randomFaults,
];
