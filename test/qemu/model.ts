/** The model on the configurations that QEMU gets. */
import { offsets, qemuVirtIdentification } from "../../specs/smmuv3/registers.ts";
import type { Transaction } from "../../src/base/transaction.ts";
import { hex, iova, streamId } from "../../src/base/words.ts";
import type { Quirks } from "../../src/smmuv3/quirks.ts";
import { type RegisterFile, settingsOf } from "../../src/smmuv3/registers.ts";
import { translate, type Translation } from "../../src/smmuv3/transaction.ts";
import { type Asked, type MachineConfiguration, MEMORY, SID } from "./smmu.ts";

const word = (value: bigint): number => Number(value & 0xffff_ffffn);

export const registersOf = ({ enabled, gbpa, cr2, streamTable, streamTableCfg }: MachineConfiguration): RegisterFile => {
  const values = { ...qemuVirtIdentification, CR0: 0xc | Number(enabled), CR2: cr2, GBPA: gbpa, STRTAB_BASE: word(streamTable), STRTAB_BASE_CFG: streamTableCfg };
  return new Map([...Object.entries(values).map(([name, value]) => [offsets[name as keyof typeof offsets], value] as const), [offsets.STRTAB_BASE + 4, word(streamTable >> 32n)]]);
};

export const memoryOf =
  ({ stores }: MachineConfiguration) =>
  (address: bigint): bigint | undefined =>
    MEMORY.some(({ addr, size }) => address >= addr && address < addr + size) ? (stores.get(address) ?? 0n) : undefined;

export const transactionOf = ({ op, iova: address }: Asked): Transaction => ({ sid: streamId(SID), op, iova: iova(address), size: 4 });

/** What the model answers under a set of quirks. */
export const modelOf = (configuration: MachineConfiguration, set: Quirks): ((asked: Asked) => Translation) => {
  const settings = settingsOf(registersOf(configuration), set);
  const read = memoryOf(configuration);
  return (asked) => translate(read, settings, transactionOf(asked));
};

/** One line, equal for equal answers: the address, or the record's four words. */
export const modelLine = (outcome: Translation): string => {
  if (outcome.result === "ok") return `pa ${hex(outcome.pa)}`;
  if (outcome.result === "unsupported") return `unsupported: ${outcome.why}`;
  return `${outcome.result} ${outcome.event === undefined ? "" : outcome.event.raw.map(hex).join(" ")}`;
};
