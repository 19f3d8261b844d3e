/**
 * A thread's registers, as its TCB invocations read and write them (seL4 src/object/tcb.c `decodeReadRegisters`,
 * `decodeWriteRegisters`, `decodeCopyRegisters`; the order is that of src/arch/arm/64/machine/registerset.c). No program
 * runs here, so a register holds what was last written, and 0 before.
 */
import { THREAD } from "./capability.ts";
import { invocation, type Invocation, refusal, type Request, truncated } from "./invocation.ts";
import type { Kernel } from "./kernel.ts";
import { restart, suspend, threadAt } from "./thread.ts";
import { NO_THREADS } from "./tcb.ts";

/** n_frameRegisters and n_gpRegisters; SPSR_EL1 is the third of the former. */
const FRAME_REGISTERS = 17;
const GENERAL_REGISTERS = 19;
const REGISTERS = FRAME_REGISTERS + GENERAL_REGISTERS;
const SPSR = 2;
/** A user-level program keeps its condition flags (mode/kernel/thread.h `sanitiseRegister`, PSTATE_USER). */
const sanitised = (register: number, value: bigint): bigint => (register === SPSR ? (value & 0xf000_0000n) | 0x140n : value);

const targetThread = (kernel: Kernel, { target }: Request): number => kernel.tables.slot.at(target).object;
const registersOf = (kernel: Kernel, thread: number): Map<number, bigint> => {
  const known = kernel.contents?.registers.get(thread);
  if (known !== undefined) return known;
  const fresh = new Map([[SPSR, sanitised(SPSR, 0n)]]);
  kernel.contents?.registers.set(thread, fresh);
  return fresh;
};
/** Where its program counter is written, a thread does not come back to the system call that it was stopped in. */
const leaveCall = (kernel: Kernel, thread: number): void => void kernel.contents?.calls.delete(thread);
const bit = (word: bigint, at: bigint): boolean => ((word >> at) & 1n) === 1n;

const own = refusal("seL4_IllegalOperation", "the thread is the one that invokes", (kernel, request) => (targetThread(kernel, request) === request.thread ? [] : undefined));

const tcb = (definition: Omit<Invocation, "object" | "unexplored">): Invocation => invocation({ ...definition, object: THREAD, unexplored: NO_THREADS });

export const ReadRegisters = tcb({
  label: "TCBReadRegisters",
  says: "Read a thread's registers, and perhaps stop it.",
  caps: [],
  words: [
    { name: "suspend_source|arch_flags", of: "word" },
    { name: "count", of: "count" },
  ],
  refusals: [
    truncated(2, 0),
    refusal("seL4_RangeError", "there are not so many registers, or none is asked for", (_, { words }) => (words[1]! < 1n || words[1]! > REGISTERS ? [1n, BigInt(REGISTERS)] : undefined)),
    own,
  ],
  effect: (kernel, request) => {
    const thread = targetThread(kernel, request);
    if (bit(request.words[0]!, 0n)) suspend(kernel, thread);
    const registers = registersOf(kernel, thread);
    return Array.from({ length: Number(request.words[1]) }, (_, register) => registers.get(register) ?? 0n);
  },
});

export const WriteRegisters = tcb({
  label: "TCBWriteRegisters",
  says: "Write a thread's registers, and perhaps start it.",
  caps: [],
  words: [
    { name: "resume_target|arch_flags", of: "word" },
    { name: "count", of: "count" },
  ],
  refusals: [
    truncated(2, 0),
    refusal("seL4_TruncatedMessage", "the message has fewer registers than it says", (_, { words }) => (BigInt(words.length) - 2n < words[1]! ? [] : undefined)),
    own,
  ],
  effect: (kernel, request) => {
    const thread = targetThread(kernel, request);
    const registers = registersOf(kernel, thread);
    const count = Math.min(Number(request.words[1]), REGISTERS);
    for (const [register, value] of request.words.slice(2, 2 + count).entries()) registers.set(register, sanitised(register, value));
    if (count > 0) leaveCall(kernel, thread);
    if (bit(request.words[0]!, 0n)) restart(kernel, thread);
  },
});

export const CopyRegisters = tcb({
  label: "TCBCopyRegisters",
  says: "Copy registers from another thread; stop that one or start this one.",
  caps: [{ name: "source", of: "thread" }],
  words: [{ name: "suspend_source|resume_target|transfer_frame|transfer_integer|arch_flags", of: "word" }],
  refusals: [refusal("seL4_InvalidCapability", "the source is no thread", (kernel, { caps }) => (kernel.tables.slot.at(caps[0]!).kind === THREAD ? undefined : [1n]))],
  effect: (kernel, request) => {
    const flags = request.words[0]!;
    const from = kernel.tables.slot.at(request.caps[0]!).object;
    const to = targetThread(kernel, request);
    if (bit(flags, 0n)) suspend(kernel, from);
    if (bit(flags, 1n)) restart(kernel, to);
    if (bit(flags, 2n)) leaveCall(kernel, to);
    const registers = registersOf(kernel, from);
    const target = registersOf(kernel, to);
    for (let register = 0; register < REGISTERS; register++)
      if (bit(flags, register < FRAME_REGISTERS ? 2n : 3n)) target.set(register, registers.get(register) ?? 0n);
  },
});

/** TLS_BASE is TPIDR_EL0, the last but one of the general registers. */
const TPIDR = REGISTERS - 2;

export const SetTLSBase = tcb({
  label: "TCBSetTLSBase",
  says: "Set a thread's pointer to its own data.",
  caps: [],
  words: [{ name: "tls_base", of: "word" }],
  refusals: [],
  effect: (kernel, request) => void registersOf(kernel, targetThread(kernel, request)).set(TPIDR, request.words[0]!),
});
export const SetFlags = tcb({
  label: "TCBSetFlags",
  says: "Set and clear feature flags; there is one, which turns floating point off. Answers with the flags.",
  caps: [],
  words: [
    { name: "clear", of: "word" },
    { name: "set", of: "word" },
  ],
  refusals: [],
  effect: (kernel, request) => {
    const row = threadAt(kernel, targetThread(kernel, request));
    const flags = (BigInt(row.flags) & ~request.words[0]!) | (request.words[1]! & 1n);
    row.flags = Number(flags);
    return [flags];
  },
});

export const registerAccess: readonly Invocation[] = [ReadRegisters, WriteRegisters, CopyRegisters, SetTLSBase, SetFlags];
