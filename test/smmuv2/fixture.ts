/** What the tests of this folder build from: a machine, seL4's driver for it, tables by hand, and registers by name. */
import { registers, type RegisterName } from "../../specs/smmuv2/registers.ts";
import type { Step } from "../../src/base/step.ts";
import type { Transaction } from "../../src/base/transaction.ts";
import { hex, iova, pa, streamId } from "../../src/base/words.ts";
import { createSmmuv2Driver, type Smmuv2Parameters, tegraX2Driver } from "../../src/kernel/smmuv2Driver.ts";
import { type Identification, offsetOf, tegraX2 } from "../../src/smmuv2/identification.ts";
import { createMachine, type MachineRun } from "../../src/smmuv2/machine.ts";
import type { MachineState } from "../../src/smmuv2/machineState.ts";
import type { Reach, ReachStream } from "../../src/smmuv2/reach.ts";
import { createImages, type Image } from "../../src/smmuv3/image.ts";

export type State = MachineState<Image>;
/** Small: 8 groups, 4 banks, so that tests can look at all of it. */
export const small: Identification = { ...tegraX2, groups: 8, streamBits: 3, banks: 4 };
const known = ({ matching, groups, streamBits, banks, vmid16, pageBytes, pages }: Identification) => ({ matching, groups, streamBits, banks, vmid16, pageBytes, pages });

export const build = (identification: Partial<Identification> = {}, parameters: Partial<Smmuv2Parameters> = {}, cacheMode: "may" | "none" = "may") => {
  const whole = { ...small, ...identification };
  const run: MachineRun<Image> = createMachine({ smmus: [whole], images: createImages(), cacheMode });
  const driver = createSmmuv2Driver({ ...tegraX2Driver, ...known(whole), ...parameters });
  return { run, driver, identification: whole, go: (...lists: readonly (readonly Step[])[]): State => run.executeAll(run.start, lists.flat()) };
};

export const store = (addr: bigint, value: bigint): Step => ({ kind: "store", addr: pa(addr), value, what: "" });
export const register = (name: RegisterName, n: number, value: bigint, identification: Identification = small): Step => ({
  kind: "register",
  smmu: 0,
  offset: offsetOf(identification, name, n),
  value,
  size: registers[name].bytes,
});
export const wait: Step = { kind: "sync", smmu: 0 };
export const globalSync: readonly Step[] = [register("TLBGSYNC", 0, 0n), wait];
export const bankSync = (bank: number): readonly Step[] => [register("TLBSYNC", bank, 0n), wait];
export const value = (state: State, name: RegisterName, n = 0, run = build().run): bigint => run.readRegister(state, 0, offsetOf(small, name, n), registers[name].bytes);

/** Stage 2: page, normal memory, AF, S2AP, XN. */
export const S2_READ_WRITE = 0x0040_0000_0000_04ffn;
export const S2_READ_ONLY = 0x0040_0000_0000_047fn;
/** Stage 1: page, nG, AF, AP, PXN and UXN. */
export const S1_USER_READ_WRITE = 0x0060_0000_0000_0c43n;
export const S1_USER_READ_ONLY = 0x0060_0000_0000_0cc3n;
export const S1_KERNEL_ONLY = 0x0060_0000_0000_0c03n;

/** Stores that map one page below a root of `level`; the tables below it follow in pages after `next`. */
export const mapPage = (root: bigint, level: number, next: bigint, address: bigint, leaf: bigint): Step[] => {
  const steps: Step[] = [];
  let table = root;
  let free = next;
  for (let at = level; ; at++) {
    const shift = BigInt(12 + 9 * (3 - at));
    const entry = table + 8n * (at === level ? address >> shift : (address >> shift) & 511n);
    if (at === 3) return [...steps, store(entry, leaf)];
    steps.push(store(entry, free | 3n));
    table = free;
    free += 0x1000n;
  }
};

export const access = (sid: number, address: bigint, rest: Partial<Transaction> = {}): Transaction => ({ sid: streamId(sid), op: "read", iova: iova(address), size: 4, ...rest });
/** A cold transaction in one line. */
export const ask = (run: MachineRun<Image>, state: State, sid: number, address: bigint, rest: Partial<Transaction> = {}): string => {
  const { outcome } = run.transact(state, 0, access(sid, address, rest));
  if (outcome.result === "ok") return `pa ${hex(outcome.pa)}`;
  if (outcome.result === "unsupported") return `unsupported: ${outcome.why}`;
  return `${outcome.result} ${outcome.event?.type ?? "unrecorded"}${outcome.result === "abort" && outcome.raz === true ? " raz" : ""}`;
};

export const streamIn = (reach: Reach, sid: number): ReachStream | undefined => reach.streams.find((one) => one.sid === sid) ?? reach.streams.find((one) => one.sid === -1);
/** What a stream reaches, one line a range. */
export const ranges = (reach: Reach, sid: number): string[] =>
  (streamIn(reach, sid)?.targets ?? []).map(({ iova: from, pa: to, size, read, write, cached }) => `${hex(from)} -> ${hex(to)} ${hex(size)} ${read ? "r" : ""}${write ? "w" : ""}${cached ? " cached" : ""}`);
export const classes = (reach: Reach, sid: number): string[] => (streamIn(reach, sid)?.configurations ?? []).map((one) => one.class);
