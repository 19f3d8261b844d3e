/**
 * Virtual CPUs: whose thread one belongs to, and what its invocations refuse (seL4 src/arch/arm/object/vcpu.c). No guest
 * runs here: registers hold what was written, and an injected interrupt is not delivered.
 */
import { NONE } from "../base/state.ts";
import { THREAD, VCPU } from "./capability.ts";
import { type Invocation, invocation, type Refusal, refusal, type Request, truncated } from "./invocation.ts";
import { checkIrq, VIRTUAL_TIMER_IRQ } from "./irqNumber.ts";
import type { Kernel } from "./kernel.ts";

const NO_VCPUS = "no VCPU is part of a scaled state";

const vcpu = (definition: Omit<Invocation, "object" | "unexplored">): Invocation => invocation({ ...definition, object: VCPU, unexplored: NO_VCPUS });
const targetVcpu = (kernel: Kernel, { target }: Request): number => kernel.tables.slot.at(target).object;

export const SetTCB = vcpu({
  label: "ARMVCPUSetTCB",
  says: "Give a VCPU to a thread; what either had before, it loses.",
  caps: [{ name: "tcb", of: "thread" }],
  words: [],
  refusals: [
    truncated(0, 1),
    refusal("seL4_IllegalOperation", "the capability is no thread", (kernel, { caps }) => (kernel.tables.slot.at(caps[0]!).kind === THREAD ? undefined : [])),
  ],
  effect: (kernel, request) => {
    const thread = kernel.tables.slot.at(request.caps[0]!).object;
    kernel.tables.vcpu.forEach((row) => {
      if (row.thread === thread) row.thread = NONE;
    });
    kernel.tables.vcpu.at(targetVcpu(kernel, request)).thread = thread;
  },
});

/** List registers of the GIC that QEMU's virt board has (gic_vcpu_num_list_regs, read from the hardware). */
const LIST_REGISTERS = 4n;
/** The fields of the one word, with the greatest value of each; refused in this order. */
const injected = [
  { at: 0n, bits: 16n, most: 1023n, name: "interrupt" },
  { at: 16n, bits: 8n, most: 31n, name: "priority" },
  { at: 24n, bits: 8n, most: 1n, name: "group" },
  { at: 32n, bits: 8n, most: LIST_REGISTERS - 1n, name: "list register" },
] as const;

export const InjectIRQ = vcpu({
  label: "ARMVCPUInjectIRQ",
  says: "Make an interrupt pending for the guest. A list register is in use only while a guest runs with it.",
  caps: [],
  words: [{ name: "virq|priority|group|index", of: "word" }],
  refusals: injected.map(({ at, bits, most, name }) =>
    refusal("seL4_RangeError", `the ${name} is above ${most}`, (_, { words }) => (((words[0]! >> at) & ((1n << bits) - 1n)) > most ? [0n, most] : undefined)),
  ),
  effect: () => {},
});

/** seL4_VCPUReg_Num, and the value that SCTLR starts with (SCTLR_EL1_VM). */
const REGISTERS = 24n;
const SCTLR_START = 0x34d5_8820n;

const registersOf = (kernel: Kernel, of: number): Map<number, bigint> => {
  const known = kernel.contents?.virtualRegisters.get(of);
  if (known !== undefined) return known;
  const fresh = new Map([[0, SCTLR_START]]);
  kernel.contents?.virtualRegisters.set(of, fresh);
  return fresh;
};
const noRegister: Refusal = refusal("seL4_InvalidArgument", "there is no such register", (_, { words }) => (words[0]! >= REGISTERS ? [1n] : undefined));

export const ReadReg = vcpu({
  label: "ARMVCPUReadReg",
  says: "Read a register of the guest.",
  caps: [],
  words: [{ name: "field", of: "count" }],
  refusals: [noRegister],
  effect: (kernel, request) => [registersOf(kernel, targetVcpu(kernel, request)).get(Number(request.words[0])) ?? 0n],
});

export const WriteReg = vcpu({
  label: "ARMVCPUWriteReg",
  says: "Write a register of the guest.",
  caps: [],
  words: [
    { name: "field", of: "count" },
    { name: "value", of: "word" },
  ],
  refusals: [noRegister],
  effect: (kernel, request) => void registersOf(kernel, targetVcpu(kernel, request)).set(Number(request.words[0]), request.words[1]!),
});

export const AckVPPI = vcpu({
  label: "ARMVCPUAckVPPI",
  says: "Let the guest's timer interrupt come again.",
  caps: [],
  words: [{ name: "irq", of: "irq" }],
  refusals: [
    checkIrq,
    refusal("seL4_InvalidArgument", "the interrupt is not the virtual timer's", (_, { words }) => (words[0] === VIRTUAL_TIMER_IRQ ? undefined : [0n])),
  ],
  effect: () => {},
});

/** The last capability goes (`vcpu_finalise`). */
export const endVcpu = (kernel: Kernel, object: number): void => {
  kernel.tables.vcpu.at(object).thread = NONE;
  kernel.contents?.virtualRegisters.delete(object);
};

export const virtualCpus: readonly Invocation[] = [SetTCB, InjectIRQ, ReadReg, WriteReg, AckVPPI];
