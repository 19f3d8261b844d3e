/**
 * SmmuCap as a Promela model for SPIN: one process, one guarded atomic step for each instance, every variable a bit field
 * of the width that it needs (SPIN is faster so than with bytes), the invariant as a step that is only enabled in a bad
 * state. Counts: SPIN's "states, stored" are ours; its transitions are our edges plus one.
 */
import type { Mutant, Size } from "./smmuCap.ts";

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
const bitsFor = (values: number): number => Math.max(1, Math.ceil(Math.log2(values)));

export const promela = ({ components, streams, banks, vspaces, frames, slots }: Size, mutant?: Mutant): string => {
  const [C, S, B, V, F, L] = [components, streams, banks, vspaces, frames, slots].map(upTo) as [number[], number[], number[], number[], number[], number[]];
  const own = (index: number): number => index % components;
  const bank = (s: number): string => `bank_of_stream_${s}`;
  const vspace = (b: number): string => `vspace_of_bank_${b}`;
  const owner = (b: number): string => `owner_of_bank_${b}`;
  const entry = (v: number, l: number): string => `entry_${v}_${l}`;
  const cached = (b: number, l: number): string => `cached_${b}_${l}`;
  const held = (f: number, c: number): string => `held_${f}_${c}`;
  const others = (f: number): readonly number[] => C.filter((c) => c !== own(f));

  const variable = (name: string, values: number, initial = 0): string => `unsigned ${name} : ${bitsFor(values)} = ${initial};`;
  const variables = [
    ...S.map((s) => variable(bank(s), banks + 1)),
    ...B.flatMap((b) => [variable(vspace(b), vspaces + 1), variable(owner(b), components, own(b))]),
    ...V.flatMap((v) => L.map((l) => variable(entry(v, l), frames + 1))),
    ...B.flatMap((b) => L.map((l) => variable(cached(b, l), frames + 1))),
    ...F.flatMap((f) => others(f).map((c) => variable(held(f, c), 2))),
  ];

  const step = (guards: readonly string[], effects: readonly string[]): string => `  :: d_step { ${guards.join(" && ")} -> ${effects.join("; ")} }`;
  const clean = (b: number): string[] => L.map((l) => `${cached(b, l)} == 0`);
  const mayMap = (v: number, f: number): string[] => (own(f) === own(v) || mutant === "M3" ? [] : [`${held(f, own(v))} == 1`]);
  const drop = (name: string, when: string): string => `${name} = (${when} -> 0 : ${name})`;
  const revoke = (f: number, c: number): string[] => [
    `${held(f, c)} = 0`,
    ...V.filter((v) => own(v) === c).flatMap((v) => L.map((l) => drop(entry(v, l), `${entry(v, l)} == ${f + 1}`))),
    ...(mutant === "M1" ? [] : B.flatMap((b) => L.map((l) => drop(cached(b, l), `${owner(b)} == ${c} && ${cached(b, l)} == ${f + 1}`)))),
  ];
  const steps = [
    ...S.flatMap((s) => B.map((b) => step([`${bank(s)} == 0`, `${owner(b)} == ${own(s)}`], [`${bank(s)} = ${b + 1}`]))),
    ...S.map((s) => step([`${bank(s)} != 0`], [`${bank(s)} = 0`])),
    ...B.flatMap((b) => V.map((v) => step([`${vspace(b)} == 0`, `${owner(b)} == ${own(v)}`], [`${vspace(b)} = ${v + 1}`]))),
    ...B.map((b) => step([`${vspace(b)} != 0`], [`${vspace(b)} = 0`])),
    ...V.flatMap((v) => L.flatMap((l) => F.map((f) => step([`${entry(v, l)} == 0`, ...mayMap(v, f)], [`${entry(v, l)} = ${f + 1}`])))),
    ...V.flatMap((v) => L.map((l) => step([`${entry(v, l)} != 0`], [`${entry(v, l)} = 0`]))),
    ...B.map((b) => step([`(${L.map((l) => `${cached(b, l)} != 0`).join(" || ")})`], L.map((l) => `${cached(b, l)} = 0`))),
    // One step for each way that an access can go: a stream's bank, the bank's VSpace.
    ...S.flatMap((s) =>
      L.flatMap((l) =>
        B.flatMap((b) => V.map((v) => step([`${bank(s)} == ${b + 1}`, `${vspace(b)} == ${v + 1}`, `${cached(b, l)} == 0`, `${entry(v, l)} != 0`], [`${cached(b, l)} = ${entry(v, l)}`]))),
      ),
    ),
    ...F.flatMap((f) => others(f).map((c) => step([`${held(f, c)} == 0`], [`${held(f, c)} = 1`]))),
    ...F.flatMap((f) => others(f).map((c) => step([`${held(f, c)} == 1`], revoke(f, c)))),
    ...B.flatMap((b) =>
      C.map((c) => step([`${owner(b)} != ${c}`, `${vspace(b)} == 0`, ...(mutant === "M2" ? [] : clean(b)), ...S.map((s) => `${bank(s)} != ${b + 1}`)], [`${owner(b)} = ${c}`])),
    ),
  ];

  const foreign = (name: string, s: number): string[] => F.filter((f) => own(f) !== own(s)).map((f) => `(${name} == ${f + 1} && ${held(f, own(s))} == 0)`);
  const bad = S.flatMap((s) =>
    B.map((b) => {
      const reached = [
        ...L.flatMap((l) => foreign(cached(b, l), s)),
        ...V.map((v) => `(${vspace(b)} == ${v + 1} && (${L.flatMap((l) => foreign(entry(v, l), s)).join(" || ") || "false"}))`),
      ];
      return `(${bank(s)} == ${b + 1} && (${reached.join(" || ") || "false"}))`;
    }),
  );
  return [...variables, "", "active proctype smmu() {", "end: do", ...steps, `  :: d_step { (${bad.join("\n    || ")}) -> assert(false) }`, "  od", "}", ""].join("\n");
};
