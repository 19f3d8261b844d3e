/** What is known of other states against what the recipes do: every successor of every state that is met, and every judgement. */
import { describe, expect, it } from "vitest";
import { createModel, type Model } from "../../../src/check/model.ts";
import { properties } from "../../../src/check/properties/properties.ts";
import { sumOf } from "../../../src/check/search/stateStore.ts";
import { cofferdam, mutantOf, type Profile, profileNamed } from "../../../src/kernel/profile.ts";
import { boot } from "../../../src/system/boot.ts";
import { defaultScope, scale } from "../../../src/system/scale.ts";
import { layoutOf } from "../../kernel/fixture.ts";

const modelOf = (system: string, profile: Profile): Model => createModel(boot(scale(layoutOf(system), defaultScope), profile), properties);
const successors = (model: Model, expand: Model["expand"], state: Uint32Array): string[] => {
  const lines: string[] = [];
  expand(state, 0, (successor, ordinal, steps, sum) => {
    const words = successor.slice(0, model.words);
    if (sum !== undefined && sum !== sumOf(words, 0, model.words)) lines.push("a wrong hash");
    lines.push(`${ordinal} ${steps} ${words.join(" ")}`);
  });
  return lines;
};
/** The same by collapsed states. */
const collapsedSuccessors = ({ collapse, collapsed, words }: Model, state: Uint32Array): string[] => {
  const lines: string[] = [];
  const own = new Uint32Array(collapse.numbers);
  const whole = new Uint32Array(words);
  collapse.collapse(state, 0, own);
  collapsed.expand(own, 0, (successor, ordinal, steps, sum, stays) => {
    if (sum !== sumOf(successor, 0, collapse.numbers)) lines.push("a wrong hash");
    collapse.restore(successor, 0, whole);
    if (stays !== whole.every((word, at) => word === state[at])) lines.push("stays where it was, or not");
    lines.push(`${ordinal} ${steps} ${whole.join(" ")}`);
  });
  return lines;
};
const violatedPlainly = (model: Model, state: Uint32Array): number => {
  const view = model.viewAt(state, 0);
  return model.properties.reduce((mask, property, bit) => (property.violation(view) === undefined ? mask : mask | (1 << bit)), 0);
};
const wordsOf = (line: string): Uint32Array<ArrayBuffer> => Uint32Array.from(line.split(" ").slice(2).map(Number));

describe.each([
  ["one-driver", "cofferdam", cofferdam],
  ["two-vms", "cofferdam", cofferdam],
  ["two-spaces", "cofferdam", cofferdam],
  ["large-frames", "cofferdam", cofferdam],
  ["one-driver", "revoke-finalises-kernel-copies", mutantOf(cofferdam, "revoke-finalises-kernel-copies")],
  ["one-driver", "frame-delete-invalidates", mutantOf(cofferdam, "frame-delete-invalidates")],
  ["one-driver", "smmuv3-talk", profileNamed("smmuv3-talk")!],
  ["two-vms", "sel4-smmuv2-indexing", profileNamed("sel4-smmuv2-indexing")!],
] as const)("%s under %s", (system, _, profile) => {
  it("what is known of other states is what every invocation comes to, and what every property says", () => {
    const model = modelOf(system, profile);
    const met = new Map([[model.initial.join(" "), Uint32Array.from(model.initial)]]);
    // A walk that spreads: after the near states, every seventh successor.
    const queue = [...met.values()];
    let compared = 0;
    let violating = 0;
    for (let next = 0; next < queue.length && next < 350; next++) {
      const state = queue[next]!;
      const known = successors(model, model.expand, state);
      expect(known).toEqual(successors(model, model.expandPlainly, state));
      expect(collapsedSuccessors(model, state)).toEqual(known);
      const violated = model.judge(state, 0);
      expect(violated).toBe(violatedPlainly(model, state));
      violating += Number(violated !== 0);
      compared += known.length;
      for (const [index, line] of known.entries()) {
        if (next > 20 && (index + next) % 7 !== 0) continue;
        const words = wordsOf(line);
        const key = words.join(" ");
        if (met.has(key)) continue;
        met.set(key, words);
        queue.push(words);
      }
    }
    expect(compared).toBeGreaterThan(2000);
    // Streams that nobody bound are wrong from boot on there, so judgements of both kinds are compared.
    if (profile.name === "sel4-smmuv2-indexing") expect(violating).toBeGreaterThan(300);
    if (profile === cofferdam) expect(violating).toBe(0);
  });
});
