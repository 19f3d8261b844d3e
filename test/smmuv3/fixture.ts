/** What the tests of this folder build machines from: steps as a kernel would give them, with raw words. */
import { CommandCfgi, CommandCfgiRange, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { offsets } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { Step } from "../../src/base/step.ts";
import type { Transaction } from "../../src/base/transaction.ts";
import { iova, pa, streamId } from "../../src/base/words.ts";
import { createMachine, type MachineOptions } from "../../src/smmuv3/machine.ts";
import type { MachineState } from "../../src/smmuv3/machineState.ts";
import { settingsOf } from "../../src/smmuv3/registers.ts";
import { reader } from "../../src/smmuv3/snapshot.ts";
import { translate } from "../../src/smmuv3/transaction.ts";

export const STREAM_TABLE = 0x4800_0000n;
/** Page, AF, inner shareable, normal memory, and S2AP: the attributes Linux writes (0x7ff). */
export const READ_WRITE = 0x7ffn;
export const READ_ONLY = 0x77fn;
export const WRITE_ONLY = 0x7bfn;

export const store = (addr: bigint, value: bigint): Step => ({ kind: "store", addr: pa(addr), value, what: "" });
export const fill = (addr: bigint, size: bigint, pattern: readonly bigint[] = [0n]): Step => ({ kind: "fill", addr: pa(addr), size, pattern, what: "" });
export const register = (offset: number, value: bigint, size: 4 | 8 = 4): Step => ({ kind: "register", smmu: 0, offset, value, size });
export const command = (words: readonly bigint[]): Step => ({ kind: "command", smmu: 0, words: [words[0]!, words[1]!], what: "" });
export const sync: Step = { kind: "sync", smmu: 0 };

const op = (name: keyof typeof opcodes): bigint => BigInt(opcodes[name].code);
export const cfgiSte = (sid: number): Step => command(CommandCfgi.encode({ Op: op("CFGI_STE"), SID: BigInt(sid), Leaf: 1n }));
export const cfgiRange = (sid: number, range: bigint): Step => command(CommandCfgiRange.encode({ Op: op("CFGI_STE_RANGE"), SID: BigInt(sid), Range: range }));
export const cfgiAll = cfgiRange(0, 31n);
export const tlbiVmid = (vmid: number): Step => command(CommandTlbi.encode({ Op: op("TLBI_S12_VMALL"), VMID: BigInt(vmid) }));
export const tlbiIpa = (vmid: number, address: bigint, fields: Parameters<typeof CommandTlbi.encode>[0] = {}): Step =>
  command(CommandTlbi.encode({ Op: op("TLBI_S2_IPA"), VMID: BigInt(vmid), Address: address, ...fields }));
export const tlbiAll = command(CommandTlbi.encode({ Op: op("TLBI_NSNH_ALL") }));

export const stage2Fields = { V: 1n, Config: "s2", S2VMID: 1n, S2T0SZ: 25n, S2SL0: 1n, S2TG: "4K", S2PS: "44", S2AA64: 1n, S2R: 1n } as const;
/** A stage-2 entry of 39-bit input (walk from level 1), with what a test changes. */
export const stage2Ste = (fields: Parameters<typeof Ste.encode>[0] = {}): bigint[] => Ste.encode({ ...stage2Fields, ...fields });
export const storeSte = (sid: number, words: readonly bigint[]): Step[] => [1, 2, 3, 4, 5, 6, 7, 0].map((word) => store(STREAM_TABLE + BigInt(sid * 64 + word * 8), words[word]!));

/** Stream table of 2^log2Size abort entries, then SMMUEN. */
export const boot = (log2Size = 16): Step[] => [
  fill(STREAM_TABLE, 64n << BigInt(log2Size), [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]),
  register(offsets.CR2, 2n),
  register(offsets.STRTAB_BASE, STREAM_TABLE, 8),
  register(offsets.STRTAB_BASE_CFG, BigInt(log2Size)),
  register(offsets.CR0, 1n),
];

/** Stores that map pages below one table of each level; `root` is the table of `level`, the next ones follow it. */
export const mapPages = (root: bigint, level: number, first: bigint, leaves: readonly bigint[]): Step[] => {
  const steps: Step[] = [];
  let table = root;
  for (let at = level; at < 3; at++, table += 0x1000n) {
    const index = first >> BigInt(12 + 9 * (3 - at));
    steps.push(store(table + 8n * (at === level ? index : index & 511n), (table + 0x1000n) | 3n));
  }
  return [...steps, ...leaves.map((leaf, at) => store(table + 8n * (((first >> 12n) & 511n) + BigInt(at)), leaf))];
};

export const machineOf = (options: Partial<MachineOptions> = {}) => createMachine({ smmus: [{}], cacheMode: "may", ...options });

/** One cold transaction on a state. */
export const ask = (state: MachineState, sid: number, address: bigint, rest: Partial<Transaction> = {}) =>
  translate(reader({ image: state.image }), settingsOf(state.smmus[0]!.registers), { sid: streamId(sid), op: "read", iova: iova(address), size: 4, ...rest });

/** An outcome in one line, without the words that led to it. */
export const brief = (outcome: ReturnType<typeof ask>): string => {
  if (outcome.result === "ok") return `pa 0x${outcome.pa.toString(16)}`;
  if (outcome.result === "unsupported") return `unsupported: ${outcome.why}`;
  if (outcome.event === undefined) return "abort";
  const { type, rnw, s2, class: what, iova: address, ipa, fetch } = outcome.event;
  const flags = rnw === undefined ? "" : ` ${rnw ? "read" : "write"} s2=${Number(s2)} ${what} 0x${address!.toString(16)}`;
  return `${type}${flags}${ipa === undefined ? "" : ` ipa 0x${ipa.toString(16)}`}${fetch === undefined ? "" : ` fetch 0x${fetch.toString(16)}`}`;
};
