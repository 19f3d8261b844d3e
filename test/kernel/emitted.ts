/** A kernel that runs lists, what it gives each SMMU as lines of text, and SMMUs without caches that take it. */
import type { Step } from "../../src/base/step.ts";
import { hex, iova, streamId } from "../../src/base/words.ts";
import { offsets } from "../../specs/smmuv3/registers.ts";
import { invoke } from "../../src/kernel/api.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { profileNamed } from "../../src/kernel/profile.ts";
import { type RegisterFile, resetRegisters, settingsOf, writeRegister } from "../../src/smmuv3/registers.ts";
import { translate } from "../../src/smmuv3/transaction.ts";
import { decodeFirstState } from "../../src/system/firstState.ts";
import { openFirstState } from "../../src/system/openKernel.ts";
import { told } from "./openSystem.ts";

const registerName = (offset: number): string => Object.entries(offsets).find(([, at]) => at === offset)?.[0] ?? hex(offset);

/** One step as a line: `STE[0x5].dw0=0x1`, `0 CFGI_STE 0x5` of SMMU 0, `1 SYNC`, `0 CR0=0x1`, `barrier`. */
export const stepText = (step: Step): string => {
  switch (step.kind) {
    case "store":
      return `${step.what}=${hex(step.value)}`;
    case "register":
      return `${step.smmu} ${registerName(step.offset)}=${hex(step.value)}`;
    case "command":
      return `${step.smmu} ${step.what}`;
    case "sync":
      return `${step.smmu} SYNC`;
    case "fill":
      return step.what;
    default:
      return "barrier";
  }
};

/** What an SMMU makes of a transaction: `ok 0x…`, `abort`, or `abort` and the event's type. */
export interface Hardware {
  readonly take: (steps: readonly Step[]) => void;
  readonly store: (address: bigint, value: bigint) => void;
  readonly read: (smmu: number, sid: number, address: bigint) => string;
}
const hardware = (smmus: number): Hardware => {
  const memory = new Map<bigint, bigint>();
  const fills: Extract<Step, { kind: "fill" }>[] = [];
  const files: RegisterFile[] = Array.from({ length: smmus }, () => resetRegisters());
  const filled = (address: bigint): bigint => {
    const fill = fills.findLast(({ addr, size }) => addr <= address && address < addr + size);
    return fill === undefined ? 0n : fill.pattern[Number((address - fill.addr) / 8n) % fill.pattern.length]!;
  };
  return {
    take: (steps) => {
      for (const step of steps) {
        if (step.kind === "store") memory.set(step.addr, step.value);
        else if (step.kind === "register") files[step.smmu] = writeRegister(files[step.smmu]!, step.offset, step.value, step.size);
        else if (step.kind === "fill") {
          fills.push(step);
          for (const address of memory.keys()) if (step.addr <= address && address < step.addr + step.size) memory.delete(address);
        }
      }
    },
    store: (address, value) => void memory.set(address, value),
    read: (smmu, sid, address) => {
      const outcome = translate((at) => memory.get(at) ?? filled(at), settingsOf(files[smmu]!), { sid: streamId(sid), op: "read", iova: iova(address), size: 4 });
      if (outcome.result === "ok") return `ok ${hex(outcome.pa)}`;
      return outcome.result === "abort" && outcome.event !== undefined ? `abort ${outcome.event.type}` : outcome.result;
    },
  };
};

export interface Emitting {
  readonly kernel: Kernel;
  /** Makes one system call of `root`, in the form of test/kernel/sequences/README.md without the actor, and tells the answer. */
  readonly say: (line: string) => string;
  /** What the last call gave the SMMUs. */
  readonly steps: () => readonly string[];
  /** As booted, and then whatever was given. */
  readonly hardware: Hardware;
}

export const open = (profile: string, firstState: string): Emitting => {
  const { value: document, diagnostics } = decodeFirstState(firstState, "test.yaml");
  if (document === undefined) throw new Error(diagnostics.map(({ message }) => message).join("; "));
  const { value: opened } = openFirstState(document, profileNamed(profile)!);
  if (opened === undefined) throw new Error("the first state is not understood");
  const { kernel, takeSteps } = opened;
  const machine = hardware(kernel.plan.smmus.length);
  machine.take([...kernel.driver.reset(), ...kernel.driver.enable()]);
  let last: readonly Step[] = [];
  return {
    kernel,
    say: (line) => {
      const [call, caps] = line.split(" + ");
      const [cptr, label, ...words] = call!.split(" ");
      const answer = invoke(kernel, 0, { cptr: BigInt(cptr!), label: label!, words: words.map(BigInt), caps: caps?.split(" ").map(BigInt) ?? [] });
      last = takeSteps();
      machine.take(last);
      return told(answer);
    },
    steps: () => last.map(stepText),
    hardware: machine,
  };
};
