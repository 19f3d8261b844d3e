/** Steps as plain JSON values and back, for checkpoints. What is read was written by anyone: each value is looked at. */
import type { Step } from "../../base/step.ts";
import { hex, pa } from "../../base/words.ts";

export type StepValues = readonly (string | number | readonly string[])[];

export const valuesOfStep = (step: Step): StepValues => {
  switch (step.kind) {
    case "store":
      return ["store", hex(step.addr), hex(step.value), step.what];
    case "fill":
      return ["fill", hex(step.addr), hex(step.size), step.pattern.map(hex), step.what];
    case "register":
      return ["register", step.smmu, step.offset, hex(step.value), step.size, ...(step.what === undefined ? [] : [step.what])];
    case "command":
      return ["command", step.smmu, hex(step.words[0]), hex(step.words[1]), step.what];
    case "sync":
      return ["sync", step.smmu];
    default:
      return [step.kind];
  }
};

const isWord = (value: unknown): value is string => typeof value === "string" && /^0x[0-9a-f]{1,16}$/.test(value);
const isNumber = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
const isText = (value: unknown): value is string => typeof value === "string";

/** Undefined where the values are no step. */
export const stepOfValues = (values: unknown): Step | undefined => {
  if (!Array.isArray(values)) return undefined;
  const [kind, a, b, c, d, e] = values as unknown[];
  switch (kind) {
    case "store":
      return isWord(a) && isWord(b) && isText(c) ? { kind, addr: pa(BigInt(a)), value: BigInt(b), what: c } : undefined;
    case "fill":
      return isWord(a) && isWord(b) && Array.isArray(c) && c.length > 0 && c.every(isWord) && isText(d) ? { kind, addr: pa(BigInt(a)), size: BigInt(b), pattern: c.map(BigInt), what: d } : undefined;
    case "register":
      return isNumber(a) && isNumber(b) && isWord(c) && (d === 4 || d === 8) ? { kind, smmu: a, offset: b, value: BigInt(c), size: d, ...(isText(e) ? { what: e } : {}) } : undefined;
    case "command":
      return isNumber(a) && isWord(b) && isWord(c) && isText(d) ? { kind, smmu: a, words: [BigInt(b), BigInt(c)], what: d } : undefined;
    case "sync":
      return isNumber(a) ? { kind, smmu: a } : undefined;
    case "barrier":
      return { kind };
    default:
      return undefined;
  }
};
