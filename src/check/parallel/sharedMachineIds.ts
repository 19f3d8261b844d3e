/**
 * Machine states by numbers that all threads of a run share. Each thread has machine states of its own; two are the same
 * if their contents are, which is told by SHA-256 of those. A thread that reads a number which another one gave makes the
 * state again, from where it was derived.
 */
import { createHash } from "node:crypto";
import { deserialize, serialize } from "node:v8";
import { impossible } from "../../base/diagnostic.ts";
import type { Step } from "../../base/step.ts";
import type { Machine, MachineState } from "../machine.ts";
import { type Derivation, FIRST, type MachineIds } from "../machineIds.ts";
import { Refusal } from "../refusal.ts";
import { valuesOfStep } from "../traces/stepText.ts";

/** How many machine states there may be, and the bytes of the steps that derive them. */
export const MOST_MACHINES = 1 << 18;
const TABLE = 1 << 19;
const HEAP = 1 << 28;
const KEY = 32;
/** Words of control: the lock, how many there are, where the heap ends. */
const [LOCK, COUNT, END] = [0, 1, 2];
const CONTROL = 64;
/** Of each: from which one, where its steps begin, how many bytes. */
const ENTRY_WORDS = 3;
const KEYS_AT = CONTROL + TABLE * 4;
const ENTRIES_AT = KEYS_AT + MOST_MACHINES * KEY;
const HEAP_AT = ENTRIES_AT + MOST_MACHINES * ENTRY_WORDS * 4;

export const sharedMachineIdsBuffer = (): SharedArrayBuffer => new SharedArrayBuffer(HEAP_AT + HEAP);

const full = (what: string): never => {
  throw new Refusal({ id: "too-many-for-threads", severity: "error", message: `several threads share ${what}, and the run needs more`, hint: "give --workers 1, which also goes on with a checkpoint of several" });
};

/** Lists of steps from their bytes; equal ones are one object, and so are equal steps, as a checkpoint is made smaller by. */
const stepLists = (): ((bytes: Uint8Array) => readonly Step[]) => {
  const lists = new Map<string, readonly Step[]>();
  const steps = new Map<string, Step>();
  const only = (step: Step): Step => {
    const key = JSON.stringify(valuesOfStep(step));
    if (!steps.has(key)) steps.set(key, step);
    return steps.get(key)!;
  };
  return (bytes) => {
    const key = Buffer.from(bytes).toString("latin1");
    if (!lists.has(key)) lists.set(key, (deserialize(bytes) as readonly Step[]).map(only));
    return lists.get(key)!;
  };
};

export const sharedMachineIds =
  (buffer: SharedArrayBuffer) =>
  (machine: Machine): MachineIds => {
    const control = new Int32Array(buffer, 0, CONTROL / 4);
    const table = new Int32Array(buffer, CONTROL, TABLE);
    const keys = new Uint8Array(buffer, KEYS_AT, MOST_MACHINES * KEY);
    const entries = new Int32Array(buffer, ENTRIES_AT, MOST_MACHINES * ENTRY_WORDS);
    const heap = new Uint8Array(buffer, HEAP_AT, HEAP);
    const ids = new Map<MachineState, number>();
    const states: (MachineState | undefined)[] = [];

    const locked = <T>(act: () => T): T => {
      while (Atomics.compareExchange(control, LOCK, 0, 1) !== 0) Atomics.wait(control, LOCK, 1, 1);
      try {
        return act();
      } finally {
        Atomics.store(control, LOCK, 0);
        Atomics.notify(control, LOCK, 1);
      }
    };
    const equalKey = (id: number, key: Uint8Array): boolean => {
      for (let byte = 0; byte < KEY; byte++) if (keys[id * KEY + byte] !== key[byte]) return false;
      return true;
    };
    const numberOf = (key: Uint8Array, from: number, steps: readonly Step[]): number => {
      let probe = new DataView(key.buffer, key.byteOffset).getUint32(0) & (TABLE - 1);
      for (; table[probe] !== 0; probe = (probe + 1) & (TABLE - 1)) if (equalKey(table[probe]! - 1, key)) return table[probe]! - 1;
      const id = control[COUNT]!;
      const text = serialize(steps);
      const begin = control[END]!;
      if (id >= MOST_MACHINES) return full(`at most ${MOST_MACHINES} states of the SMMU`);
      if (begin + text.length > HEAP) return full("at most 256 MiB of steps");
      heap.set(text, begin);
      keys.set(key, id * KEY);
      entries.set([from, begin, text.length], id * ENTRY_WORDS);
      table[probe] = id + 1;
      control[END] = begin + text.length;
      control[COUNT] = id + 1;
      return id;
    };
    const derivation = (id: number, stepsIn: (bytes: Uint8Array) => readonly Step[]): Derivation => {
      const [from, begin, length] = entries.subarray(id * ENTRY_WORDS, (id + 1) * ENTRY_WORDS) as unknown as [number, number, number];
      return { from, steps: stepsIn(heap.slice(begin, begin + length)) };
    };
    const keep = (id: number, state: MachineState): number => {
      ids.set(state, id);
      states[id] = state;
      return id;
    };
    const at = (id: number): MachineState => {
      const known = states[id];
      if (known !== undefined) return known;
      const { from, steps } = locked(() => (id < control[COUNT]! ? derivation(id, (bytes) => deserialize(bytes) as readonly Step[]) : impossible(`machine state ${id} was never met`)));
      const state = machine.executeAll(from === FIRST ? machine.start : at(from), steps);
      keep(id, state);
      return state;
    };
    return {
      idOf: (state, from, steps) => {
        const known = ids.get(state);
        if (known !== undefined) return known;
        const key = createHash("sha256").update(machine.digest(state)).digest();
        return keep(locked(() => numberOf(key, from, steps)), state);
      },
      at,
      derivations: () => {
        const stepsIn = stepLists();
        return locked(() => Array.from({ length: control[COUNT]! }, (_, id) => derivation(id, stepsIn)));
      },
    };
  };
