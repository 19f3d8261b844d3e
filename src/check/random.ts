/**
 * What a random walk does next: one actor's invocation out of those that are possible in the state at hand, so that a
 * rare precondition does not turn most of a walk into nothing (the complaint of fast-check issue 746).
 *
 * A walk is named by small numbers, and what they come to is a function of the numbers, the state, what the
 * invocation before was on, and a frozen `Guide` alone. Choices are made by rendezvous (Thaler and Ravishankar 1998: every candidate gets a score from its own name and
 * the number, and the best wins), so that a candidate that comes or goes changes only the choices that fall on it:
 * a walk keeps its meaning when shrinking takes earlier invocations away.
 */
import { CNODE, NULL } from "../kernel/capability.ts";
import { forEachInstance } from "../kernel/instances.ts";
import type { Invocation, Request } from "../kernel/invocation.ts";
import { invocations, refusedBy } from "../kernel/invocations.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { PlanCnode } from "../kernel/plan.ts";
import type { Profile } from "../kernel/profile.ts";
import type { Model } from "./model.ts";

/** An invocation of a walk. */
export interface Performed {
  readonly subject: number;
  readonly definition: Invocation;
  readonly request: Request;
}
/** One that the kernel refuses: the first refusal that holds, and the next one that would, had the first not been there. */
export interface Refused extends Performed {
  readonly first: number;
  readonly second: number | undefined;
}

/** The numbers of one invocation. */
export interface Draw {
  readonly actor: number;
  /**
   * What sort of invocation: one that is refused, any that is accepted, one on what the invocation before it was on, or
   * the one that lets devices reach most.
   */
  readonly kind: "refused" | "any" | "related" | "opening";
  readonly number: number;
}
export const DRAW_SPAN = 2 ** 24;

/** Murmur3's finaliser over two words. */
export const mixed = (a: number, b: number): number => {
  let hash = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ b;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
};

/** The least score wins; a weight of 2 wins twice as often as one of 1. */
const scoreOf = (name: number, number: number, weight: number): number => -Math.log((mixed(name, number) + 1) / 2 ** 32) / weight;

/** The candidate that wins for a number; the first of equals. */
const winner = <A>(candidates: readonly A[], name: (candidate: A) => number, number: number): A | undefined => {
  let best: A | undefined;
  let least = Infinity;
  for (const candidate of candidates) {
    const score = scoreOf(name(candidate), number, 1);
    if (score >= least) continue;
    least = score;
    best = candidate;
  }
  return best;
};

const wordHash = (hash: number, word: bigint): number => mixed(hash, Number(word & 0xffffffffn) ^ Number(word >> 32n));
const nameOf = ({ definition, request: { target, caps, words } }: Performed): number => words.reduce(wordHash, caps.reduce(mixed, mixed(invocations.indexOf(definition), target)));

/** Definitions that exploring tries under a profile, in declared order. */
export const exploredUnder = (profile: Profile): readonly Invocation[] =>
  invocations.filter(({ unexplored, inProfile }) => unexplored === undefined && (inProfile?.(profile) ?? true));

/**
 * Which definitions a walk prefers: for each that is explored, in declared order, how many times the number of times it
 * was performed before doubles from 1. Level n has the weight 2^(-n/2), so what was performed least is preferred.
 */
export type Guide = readonly number[];
/** The level of a definition that walks leave out where they can do anything else. */
export const OMITTED = 35;
export const levelOf = (count: number): number => Math.min(OMITTED - 1, Math.round(Math.log2(1 + count)));

/** The refusals that hold of a request, by index. A later one may ask what only an earlier one makes certain. */
const holding = (kernel: Kernel, { definition, request }: Performed): number[] =>
  definition.refusals.flatMap((refusal, index) => {
    try {
      return refusal.words(kernel, request) === undefined ? [] : [index];
    } catch {
      return [];
    }
  });
const refusedAs = (kernel: Kernel, performed: Performed): Refused | undefined => {
  const first = refusedBy(kernel, performed.definition, performed.request)?.index;
  return first === undefined ? undefined : { ...performed, first, second: holding(kernel, performed).find((index) => index > first) };
};

/** Every instance of one subject in the state of the model's window, in declared order. */
const instancesNow = ({ kernel }: Model, subject: number): Performed[] => {
  const all: Performed[] = [];
  forEachInstance(kernel, [subject], (_, definition, request) => all.push({ subject, definition, request }));
  return all;
};

const actorOf = (model: Model, { actor }: Draw): number | undefined => model.subjects[actor % model.subjects.length];

/** How much a definition is preferred to others. */
const weightOf = (level: number): number => (level === OMITTED ? 2 ** -OMITTED : 2 ** (-level / 2));
/** How many candidates a draw tries. */
const TRIES = 24;
/** One draw in so many takes capabilities away if it comes to that: an actor that has none left has nothing to do. */
const LOSING = 3;
/** How much a related draw prefers what is related. */
const RELATED = 16;

interface Outcome {
  readonly performed: Performed;
  readonly changes: boolean;
  /** The actor has fewer capabilities afterwards. */
  readonly loses: boolean;
  /** How much memory devices can reach afterwards, in ranges. */
  readonly open: number;
}

const capabilities = ({ kernel, booted: { plan } }: Model, subject: number): number => {
  const { firstRow, indices } = plan.cnodes[plan.subjects[subject]!.cnode]!;
  return indices.reduce((sum, _, position) => sum + Number(kernel.tables.slot.at(firstRow + position).kind !== NULL), 0);
};

/** The objects that an invocation names, CNodes apart: by what it is invoked on, what it is given, and the slots that it addresses. */
export const objectsOf = ({ plan, tables }: Kernel, { request: { target, caps, words } }: Performed): string[] => {
  const root = [...caps, target].map((row) => tables.slot.at(row)).find(({ kind }) => kind === CNODE);
  const cnode = root === undefined ? undefined : plan.cnodes[root.object]!;
  const addressed = cnode === undefined ? [] : words.flatMap((word) => (word < 2n ** BigInt(cnode.radix) ? (rowAt(cnode, Number(word)) ?? []) : []));
  return [target, ...caps, ...addressed].flatMap((row) => {
    const { kind, object } = tables.slot.at(row);
    return kind === NULL || kind === CNODE ? [] : [`${kind} ${object}`];
  });
};
const rowAt = ({ firstRow, indices }: PlanCnode, index: number): number | undefined => {
  const position = indices.indexOf(index);
  return position < 0 ? undefined : firstRow + position;
};

/** Tries an invocation on the window. */
const outcomeOf = (model: Model, performed: Performed, state: Uint32Array): Outcome => {
  const { subject, definition, request } = performed;
  const machine = model.machineAt(state, 0);
  const before = capabilities(model, subject);
  model.run(definition, request, machine);
  const loses = capabilities(model, subject) < before;
  const changes = model.packed.window.some((word, at) => word !== state[at]);
  const after = Uint32Array.from(model.packed.window);
  const open = model.machine.reach(model.machineAt(after, 0)).streams.reduce((sum, { targets }) => sum + targets.length, 0);
  return { performed, changes, loses, open };
};

/** Accepted invocations of an actor in the state of the window, as a number prefers them: first by definition, then by instance. */
const candidatesFor = (model: Model, subject: number, level: (definition: Invocation) => number, number: number, related: readonly string[]): Performed[] => {
  const possible = instancesNow(model, subject).filter(({ definition, request }) => refusedBy(model.kernel, definition, request) === undefined);
  const alike = new Map<Invocation, number>();
  for (const { definition } of possible) alike.set(definition, (alike.get(definition) ?? 0) + 1);
  const favour = (performed: Performed): number => (related.length > 0 && objectsOf(model.kernel, performed).some((object) => related.includes(object)) ? RELATED : 1);
  const scored = possible.map((performed) => ({ performed, score: scoreOf(nameOf(performed), number, (favour(performed) * weightOf(level(performed.definition))) / alike.get(performed.definition)!) }));
  return scored.toSorted((a, b) => a.score - b.score).map(({ performed }) => performed);
};

/**
 * The accepted invocation that a draw comes to in a state, or undefined where its actor has none. It passes over what
 * changes nothing and was performed before, and mostly over what takes capabilities away. `related`: the objects of the
 * invocation before.
 */
export const acceptedFor = (model: Model, guide: Guide, draw: Draw, state: Uint32Array, related: readonly string[]): Performed | undefined => {
  const subject = actorOf(model, draw);
  if (subject === undefined) return undefined;
  model.machineAt(state, 0);
  const definitions = exploredUnder(model.booted.profile);
  const level = (definition: Invocation): number => guide[definitions.indexOf(definition)] ?? 0;
  const candidates = candidatesFor(model, subject, level, draw.number, draw.kind === "related" ? related : []).slice(0, TRIES);
  let best: Outcome | undefined;
  for (const candidate of candidates) {
    const outcome = outcomeOf(model, candidate, state);
    const useful = outcome.loses ? draw.number % LOSING === 0 : outcome.changes || level(candidate.definition) === 0;
    if (!useful) continue;
    if (draw.kind !== "opening") return candidate;
    if (best === undefined || outcome.open > best.open) best = outcome;
  }
  return best?.performed ?? candidates[0];
};

/** Two refused requests of one definition in one: each word and the capabilities from either, by the bits of a number. */
const crossed = (one: Performed, other: Performed, number: number): Performed => {
  const bit = (index: number) => ((number >>> index) & 1) === 1;
  const words = one.request.words.map((word, index) => (bit(index + 1) ? (other.request.words[index] ?? word) : word));
  return { ...one, request: { target: one.request.target, caps: (bit(0) ? other : one).request.caps, words } };
};
const CROSSINGS = 8;

/**
 * The refused invocation that a draw comes to: the refusal, then the pair of refusals, that `reached` says was reached
 * least. It changes nothing, so that `reached` may grow while walks are made and a walk still means the same.
 */
export const refusedFor = (model: Model, draw: Draw, reached: (refused: Refused) => readonly [first: number, pair: number]): Refused | undefined => {
  const subject = actorOf(model, draw);
  if (subject === undefined) return undefined;
  const all = instancesNow(model, subject).flatMap((performed) => refusedAs(model.kernel, performed) ?? []);
  const least = Math.min(...all.map((refused) => reached(refused)[0]));
  const plain = winner(all.filter((refused) => reached(refused)[0] === least), nameOf, draw.number);
  if (plain === undefined) return undefined;
  const alike = all.filter(({ definition, request }) => definition === plain.definition && request.words.length === plain.request.words.length);
  const tries = Array.from({ length: CROSSINGS }, (_, at) => {
    const number = mixed(draw.number, at);
    return refusedAs(model.kernel, crossed(plain, winner(alike, nameOf, number)!, number));
  });
  const [best] = [plain, ...tries.flatMap((refused) => refused ?? [])].toSorted((a, b) => reached(a)[1] - reached(b)[1]);
  return best;
};

const sameRequest = (a: Request, b: Request): boolean =>
  a.target === b.target && a.caps.length === b.caps.length && a.caps.every((row, at) => row === b.caps[at]) && a.words.length === b.words.length && a.words.every((word, at) => word === b.words[at]);

/** The path of accepted invocations as the explorer names it: the ordinal of each among the instances of its state. */
export const ordinalsOf = (model: Model, walk: readonly Performed[]): number[] => {
  const state = Uint32Array.from(model.initial);
  return walk.map(({ subject, definition, request }) => {
    const machine = model.machineAt(state, 0);
    let at = -1;
    let found = -1;
    forEachInstance(model.kernel, model.subjects, (who, candidate, other) => {
      at += 1;
      if (found < 0 && who === subject && candidate === definition && sameRequest(request, other)) found = at;
    });
    model.run(definition, request, machine);
    state.set(model.packed.window);
    return found;
  });
};
