/** The SMMUv3 of QEMU's `virt` behind qtest: a configuration goes in, transactions of the `edu` device are judged cold. */
import { closeSync, openSync, readSync } from "node:fs";
import { CommandCfgiRange, CommandSync, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { offsets } from "../../specs/smmuv3/registers.ts";
import type { Access } from "../../src/base/transaction.ts";
import { hex } from "../../src/base/words.ts";
import { type Qtest, startQemu } from "./qtest.ts";

export const RAM = { addr: 0x4000_0000n, size: 0x1000_0000n };
/** Where memory answers: blank flash, and RAM. Devices answer, too, but no configuration names them. */
export const MEMORY = [{ addr: 0n, size: 0x0800_0000n }, RAM];
/** PCI 00:04.0; a power of two, so that it can be the first stream beyond a table. */
export const SID = 0x20;

/** What a configuration sets: 64-bit stores into memory that is 0 elsewhere, and registers. */
export interface MachineConfiguration {
  readonly stores: ReadonlyMap<bigint, bigint>;
  readonly enabled: boolean;
  readonly gbpa: number;
  readonly cr2: number;
  readonly streamTable: bigint;
  readonly streamTableCfg: number;
}
export interface Asked {
  readonly op: Access;
  readonly iova: bigint;
}
export interface Answer {
  readonly result: "ok" | "abort";
  /** Where the transaction went. */
  readonly pa?: bigint;
  /** The records in the event queue, four 64-bit words each. */
  readonly events: readonly (readonly bigint[])[];
  /** Whether data written or read there was what it had to be; undefined where it was not looked at. */
  readonly moved?: boolean;
}

const SMMU = 0x0905_0000n;
/** At the end of RAM, where no configuration has its tables. */
const CMDQ = 0x4fff_0000n;
const EVENTQ = 0x4fff_1000n;
const EVENTQ_LOG2 = 5;
const BUFFER = 0x4fff_2000n;
/** QEMU leaves its device tree at the start of RAM, in at most this many bytes. */
const DEVICE_TREE_BYTES = 0x20_0000n;
/** Configuration space of the device, and where its BAR goes. */
const EDU_CONFIG = 0x40_1000_0000n + (BigInt(SID) << 12n);
const EDU = 0x1000_0000n;
const EDU_DATA = { token: 0x4_0000n, read: 0x4_0100n } as const;
const CMDQEN_EVENTQEN = 0xcn;
const GBPA_UPDATE = 0x8000_0000n;
const TOKEN = 0xc0ff_eed0n;

const readl = (address: bigint): string => `readl ${hex(address)}`;
const readq = (address: bigint): string => `readq ${hex(address)}`;
const writel = (address: bigint, value: bigint): string => `writel ${hex(address)} ${hex(value)}`;
const writeq = (address: bigint, value: bigint): string => `writeq ${hex(address)} ${hex(value)}`;
const register = (name: keyof typeof offsets, value: bigint | number): string => writel(SMMU + BigInt(offsets[name]), BigInt(value));
const register64 = (name: keyof typeof offsets, value: bigint): string => writeq(SMMU + BigInt(offsets[name]), value);

/** CFGI_ALL, TLBI_NSNH_ALL, SYNC, SYNC: the whole queue, consumed once a lap. */
const invalidation = [
  CommandCfgiRange.encode({ Op: BigInt(opcodes.CFGI_STE_RANGE.code), Range: 31n }),
  CommandTlbi.encode({ Op: BigInt(opcodes.TLBI_NSNH_ALL.code) }),
  CommandSync.encode({ Op: BigInt(opcodes.SYNC.code) }),
  CommandSync.encode({ Op: BigInt(opcodes.SYNC.code) }),
].flat();

const setUp = (): string[] => [
  `memset ${hex(RAM.addr)} ${hex(DEVICE_TREE_BYTES)} 0x0`,
  writel(EDU_CONFIG + 0x10n, EDU),
  writel(EDU_CONFIG + 4n, 6n),
  ...invalidation.map((word, at) => writeq(CMDQ + BigInt(at * 8), word)),
  register64("CMDQ_BASE", CMDQ | 2n),
  register64("EVENTQ_BASE", EVENTQ | BigInt(EVENTQ_LOG2)),
  register("GBPA", GBPA_UPDATE | 0x1000n),
  register("CR0", CMDQEN_EVENTQEN),
];

const pagesOf = (stores: ReadonlyMap<bigint, bigint>): bigint[] => [...new Set([...stores.keys()].map((address) => address & ~0xfffn))];

export interface QemuSmmu {
  readonly configure: (configuration: MachineConfiguration) => Promise<void>;
  /** One transaction of 4 bytes, after everything cached was invalidated. `probe`: page whose data may be overwritten. */
  readonly transact: (asked: Asked, probe?: bigint) => Promise<Answer>;
  readonly identification: () => Promise<Readonly<Record<"IDR0" | "IDR1" | "IDR3" | "IDR5" | "AIDR", number>>>;
  readonly end: () => void;
}

/** Reads the lines that were added to a file since the last time. */
const tail = (path: string): { readonly lines: () => string[]; readonly close: () => void } => {
  const file = openSync(path, "r");
  const buffer = Buffer.alloc(1 << 16);
  let at = 0;
  return {
    lines: () => {
      const length = readSync(file, buffer, 0, buffer.length, at);
      at += length;
      return buffer.toString("utf8", 0, length).split("\n").filter((line) => line !== "");
    },
    close: () => closeSync(file),
  };
};

/** Where a transaction went, from what QEMU traced of it: the last line is the last piece. */
const wentTo = (lines: readonly string[], iova: bigint): bigint | undefined => {
  const line = lines.at(-1) ?? "";
  if (line.includes("smmuv3_translate_success")) return BigInt(/translated=(0x[0-9a-f]+)/.exec(line)![1]!);
  return line.includes("smmuv3_translate_bypass") || line.includes("smmuv3_translate_disable") ? iova : undefined;
};

const dma = async (qemu: Qtest, from: bigint, to: bigint, direction: 1n | 3n): Promise<void> => {
  await qemu.ask([writeq(EDU + 0x80n, from), writeq(EDU + 0x88n, to), writeq(EDU + 0x90n, 4n), writeq(EDU + 0x98n, direction)]);
  // The device moves data when its timer fires; bit 0 clears then.
  for (let tries = 0; tries < 10_000; tries++) if ((BigInt((await qemu.ask([readq(EDU + 0x98n)]))[0]!) & 1n) === 0n) return;
  throw new Error("the edu device did not finish");
};
const fromMemory = (qemu: Qtest, address: bigint, data: bigint) => dma(qemu, address, data, 1n);
const toMemory = (qemu: Qtest, data: bigint, address: bigint) => dma(qemu, data, address, 3n);

/** Starts QEMU and brings its SMMU and `edu` up. Throws QemuDied. */
export const startSmmu = async (program: string): Promise<QemuSmmu> => {
  const qemu = await startQemu(program);
  const trace = tail(qemu.trace);
  await qemu.ask([...setUp(), writel(BUFFER, TOKEN)]);
  await fromMemory(qemu, BUFFER, EDU_DATA.token);
  let dirty: bigint[] = [];
  let lap = 0n;
  let current: MachineConfiguration | undefined;

  const enable = ({ gbpa, enabled }: MachineConfiguration): string[] => [register("GBPA", GBPA_UPDATE | BigInt(gbpa)), register("CR0", CMDQEN_EVENTQEN | BigInt(enabled))];
  /** The word that the device read, by way of a write with the SMMU off. */
  const whatWasRead = async (configuration: MachineConfiguration): Promise<bigint> => {
    await qemu.ask([register("CR0", CMDQEN_EVENTQEN), register("GBPA", GBPA_UPDATE | 0x1000n)]);
    await toMemory(qemu, EDU_DATA.read, BUFFER);
    trace.lines();
    return BigInt((await qemu.ask([readl(BUFFER), ...enable(configuration)]))[0]!);
  };

  return {
    configure: async (configuration) => {
      await qemu.ask([
        register("CR0", CMDQEN_EVENTQEN),
        ...dirty.map((page) => `memset ${hex(page)} 0x1000 0x0`),
        ...[...configuration.stores].map(([address, value]) => writeq(address, value)),
        register("CR2", configuration.cr2),
        register64("STRTAB_BASE", configuration.streamTable),
        register("STRTAB_BASE_CFG", configuration.streamTableCfg),
        ...enable(configuration),
      ]);
      dirty = pagesOf(configuration.stores);
      current = configuration;
    },
    transact: async ({ op, iova }, probe) => {
      lap ^= 4n;
      const prepared = probe === undefined ? [] : [writel(probe, op === "read" ? TOKEN ^ lap : 0n)];
      await qemu.ask([register("CMDQ_PROD", lap), register("EVENTQ_PROD", 0), register("EVENTQ_CONS", 0), ...prepared]);
      trace.lines();
      await (op === "read" ? fromMemory(qemu, iova, EDU_DATA.read) : toMemory(qemu, EDU_DATA.token, iova));
      const pa = wentTo(trace.lines(), iova);
      const looked = await qemu.ask([readl(SMMU + BigInt(offsets.CMDQ_CONS)), readl(SMMU + BigInt(offsets.GERROR)), readl(SMMU + BigInt(offsets.EVENTQ_PROD)), ...[0n, 8n, 16n, 24n].map((at) => readq(EVENTQ + at)), ...(probe === undefined ? [] : [readl(probe)])]);
      const [consumed, errors, produced, ...words] = looked.map(BigInt);
      if (consumed !== lap || errors !== 0n) throw new Error(`the queues of QEMU are out of step: CONS ${hex(consumed!)}, PROD ${hex(lap)}, GERROR ${hex(errors!)}`);
      const events = Array.from({ length: Number(produced) }, () => words.slice(0, 4));
      const outcome = pa === undefined ? { result: "abort" as const, events } : { result: "ok" as const, pa, events };
      if (probe === undefined) return outcome;
      const moved = op === "write" ? words[4] === TOKEN : (await whatWasRead(current!)) === (TOKEN ^ lap);
      await qemu.ask([writel(probe, 0n)]);
      return { ...outcome, moved };
    },
    identification: async () => {
      const names = ["IDR0", "IDR1", "IDR3", "IDR5", "AIDR"] as const;
      const values = await qemu.ask(names.map((name) => readl(SMMU + BigInt(offsets[name]))));
      return Object.fromEntries(names.map((name, at) => [name, Number(values[at])])) as Record<(typeof names)[number], number>;
    },
    end: () => {
      trace.close();
      qemu.end();
    },
  };
};
