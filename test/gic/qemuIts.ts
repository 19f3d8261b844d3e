/** The GICv3 ITS of QEMU's `virt` with four processors: commands go in through its queue, pending LPIs are read from memory. */
import { GitsBaser, GitsCbaser, offsets } from "../../specs/gic/its.ts";
import { CommandCfgiRange, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { offsets as smmuOffsets } from "../../specs/smmuv3/registers.ts";
import type { Step } from "../../src/base/step.ts";
import { hex } from "../../src/base/words.ts";
import type { ItsCommand } from "../../src/gic/command.ts";
import type { ItsRegisters, Read } from "../../src/gic/tables.ts";
import { type Qtest, startQemu } from "../qemu/qtest.ts";

export const GITS = 0x0808_0000n;
export const PROCESSORS = 4;
/** PCI 00:04.0 and 00:05.0, by DeviceID, which is the StreamID here. */
export const EDUS = [0x20, 0x28] as const;

/** Where things are in RAM. */
const CMDQ = 0x4100_0000n;
const CMDQ_PAGES = 16n;
const DEVICE_TABLE = 0x4200_0000n;
const LEVEL_2 = 0x4210_0000n;
const COLLECTION_TABLE = 0x4300_0000n;
export const ITTS = 0x4400_0000n;
const CONFIGURATION = 0x4500_0000n;
const PENDING = 0x4600_0000n;
/** The SMMU's command queue, and a word that the devices' DMA starts from. */
const SMMU_CMDQ = 0x4700_0000n;
const BUFFER = 0x4700_1000n;

const REDISTRIBUTORS = 0x080a_0000n;
const SMMU = 0x0905_0000n;
const edu = (deviceId: number): bigint => 0x1000_0000n + BigInt(deviceId) * 0x10_0000n;
const config = (deviceId: number): bigint => 0x40_1000_0000n + (BigInt(deviceId) << 12n);
const MSI_CAPABILITY = 0x40n;
const INTID_BITS = 16n;

const readl = (address: bigint): string => `readl ${hex(address)}`;
const writel = (address: bigint, value: bigint): string => `writel ${hex(address)} ${hex(value)}`;
const writeq = (address: bigint, value: bigint): string => `writeq ${hex(address)} ${hex(value)}`;
const register = (name: keyof typeof offsets, value: bigint): string => writeq(GITS + BigInt(offsets[name]), value);
const control = (value: bigint): string => writel(GITS + BigInt(offsets.GITS_CTLR), value);

/** How the device table is given. */
export interface TableShape {
  readonly pageSize: "4K" | "16K" | "64K";
  /** Level-1 entries that are valid, for a table of two levels. */
  readonly level1?: readonly number[];
}
const PAGE_BYTES = { "4K": 0x1000, "16K": 0x4000, "64K": 0x1_0000 } as const;
/** DeviceIDs in one page of the device table. */
export const devicesPerPage = ({ pageSize }: TableShape): number => PAGE_BYTES[pageSize] / 8;

const level2Page = ({ pageSize }: TableShape, at: number): bigint => LEVEL_2 + BigInt(at * PAGE_BYTES[pageSize]);

/** CFGI_ALL and TLBI_NSNH_ALL: the SMMU's whole queue, consumed once a lap. */
const everything = [CommandCfgiRange.encode({ Op: BigInt(opcodes.CFGI_STE_RANGE.code), Range: 31n }), CommandTlbi.encode({ Op: BigInt(opcodes.TLBI_NSNH_ALL.code) })].flat();

const setUp = (): string[] => [
  ...EDUS.flatMap((deviceId) => [writel(config(deviceId) + 0x10n, edu(deviceId)), writel(config(deviceId) + 4n, 6n)]),
  ...Array.from({ length: PROCESSORS }, (_, at) => REDISTRIBUTORS + BigInt(at) * 0x2_0000n).flatMap((frame, at) => [
    writeq(frame + 0x70n, CONFIGURATION | (INTID_BITS - 1n)),
    writeq(frame + 0x78n, PENDING + BigInt(at) * 0x1_0000n),
    writel(frame, 1n),
  ]),
  ...everything.map((word, at) => writeq(SMMU_CMDQ + BigInt(at * 8), word)),
  writeq(SMMU + BigInt(smmuOffsets.CMDQ_BASE), SMMU_CMDQ | 1n),
];

/** What became pending, as `LPI n at processor`, of the LPIs 8192 to 8199; and then nothing is. */
const pendingByte = (processor: number): bigint => PENDING + BigInt(processor) * 0x1_0000n + 8192n / 8n;
const processors = Array.from({ length: PROCESSORS }, (_, at) => at);
const lookAndClear = (): string[] => processors.flatMap((at) => [`readb ${hex(pendingByte(at))}`, `writeb ${hex(pendingByte(at))} 0x0`]);
const pendingOf = (answers: readonly string[]): string => {
  const found = processors.flatMap((at) => {
    const bits = Number(answers[at * 2]);
    return Array.from({ length: 8 }, (_, bit) => bit).flatMap((bit) => (((bits >> bit) & 1) === 1 ? [`LPI ${8192 + bit} at ${at}`] : []));
  });
  return found.length === 0 ? "dropped" : found.join(", ");
};

export interface QemuIts {
  /** A new ITS: tables of zeros, an empty queue, enabled. */
  readonly configure: (shape: TableShape) => Promise<void>;
  readonly zero: (address: bigint, size: bigint) => Promise<void>;
  /** Sends commands through the queue; all of them are consumed. */
  readonly send: (commands: readonly ItsCommand[]) => Promise<void>;
  /** What each command made pending. */
  readonly signals: (commands: readonly ItsCommand[]) => Promise<string[]>;
  /** What an MSI of one of the `edu` devices made pending. */
  readonly msi: (deviceId: number, address: bigint, data: number) => Promise<string>;
  /** What a plain 4-byte DMA write of one of them made pending. */
  readonly dma: (deviceId: number, address: bigint, data: number) => Promise<string>;
  /** Registers, and the memory of the tables. */
  readonly snapshot: () => Promise<{ readonly registers: ItsRegisters; readonly read: Read }>;
  /** The SMMU with its stream table there, these stores made and nothing cached; undefined turns it off, which lets all through. */
  readonly smmu: (streamTable: bigint | undefined, steps?: readonly Step[]) => Promise<void>;
  /** The 32 bits at an address. */
  readonly word: (address: bigint) => Promise<bigint>;
  readonly end: () => void;
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text.replace(/^0x/, ""), "hex");

/** Reads regions of memory, 0 elsewhere. */
const memoryOf = async (qemu: Qtest, regions: readonly (readonly [base: bigint, size: bigint])[]): Promise<Read> => {
  const dumps = await qemu.ask(regions.map(([base, size]) => `read ${hex(base)} ${hex(size)}`));
  const views = dumps.map((text, at) => ({ base: regions[at]![0], view: new DataView(new Uint8Array(bytesOf(text)).buffer) }));
  return (address) => {
    const region = views.find(({ base, view }) => address >= base && address + 8n <= base + BigInt(view.byteLength));
    return region === undefined ? 0n : region.view.getBigUint64(Number(address - region.base), true);
  };
};

const baser = (type: "device" | "collection", base: bigint, { pageSize, level1 }: TableShape): bigint =>
  GitsBaser.encode({ Type: type, Entry_Size: 7n, Page_Size: pageSize, Physical_Address: base, Indirect: BigInt(level1 !== undefined), Valid: 1n })[0]!;

/** Starts QEMU and brings its ITS, Redistributors and `edu` devices up. Throws QemuDied. */
export const startIts = async (program: string): Promise<QemuIts> => {
  const qemu = await startQemu(program, { extra: ["-smp", String(PROCESSORS), "-device", "edu,addr=05.0,dma_mask=0xffffffffffffffff"] });
  await qemu.ask(setUp());
  let next = 0n;
  let lap = 0n;
  let current: TableShape = { pageSize: "4K" };
  const most = (CMDQ_PAGES * 0x1000n) / 32n;
  const queued = (command: ItsCommand): string[] => {
    const at = next;
    next = (next + 1n) % most;
    return [...command.map((word, index) => writeq(CMDQ + at * 32n + BigInt(index * 8), word)), register("GITS_CWRITER", next * 32n)];
  };
  const consumed = async (): Promise<void> => {
    const read = BigInt((await qemu.ask([`readq ${hex(GITS + BigInt(offsets.GITS_CREADR))}`]))[0]!);
    if (read !== next * 32n) throw new Error(`the ITS of QEMU stopped at ${hex(read)}, not at ${hex(next * 32n)}`);
  };
  const rung = async (commands: readonly string[]): Promise<string> => {
    await qemu.ask([...lookAndClear(), ...commands]);
    return pendingOf(await qemu.ask(lookAndClear()));
  };
  return {
    configure: async (shape) => {
      next = 0n;
      current = shape;
      await qemu.ask([
        control(0n),
        ...[DEVICE_TABLE, COLLECTION_TABLE, ITTS].map((base) => `memset ${hex(base)} 0x10000 0x0`),
        ...(shape.level1 ?? []).flatMap((at) => [`memset ${hex(level2Page(shape, at))} 0x10000 0x0`, writeq(DEVICE_TABLE + BigInt(at * 8), level2Page(shape, at) | (1n << 63n))]),
        register("GITS_BASER", baser("device", DEVICE_TABLE, shape)),
        writeq(GITS + BigInt(offsets.GITS_BASER + 8), baser("collection", COLLECTION_TABLE, { pageSize: "4K" })),
        register("GITS_CBASER", GitsCbaser.encode({ Valid: 1n, Size: CMDQ_PAGES - 1n, Physical_Address: CMDQ })[0]!),
        register("GITS_CWRITER", 0n),
        control(1n),
        ...lookAndClear(),
      ]);
    },
    zero: async (address, size) => void (await qemu.ask([`memset ${hex(address)} ${hex(size)} 0x0`])),
    send: async (commands) => {
      await qemu.ask(commands.flatMap(queued));
      await consumed();
    },
    signals: async (commands) => {
      await qemu.ask(lookAndClear());
      const asked = commands.map((command) => [...queued(command), ...lookAndClear()]);
      const answers = await qemu.ask(asked.flat());
      await consumed();
      const each = asked[0]?.length ?? 0;
      return commands.map((_, at) => pendingOf(answers.slice(at * each + each - PROCESSORS * 2, (at + 1) * each)));
    },
    msi: (deviceId, address, data) =>
      rung([
        writel(config(deviceId) + MSI_CAPABILITY + 4n, address & 0xffff_ffffn),
        writel(config(deviceId) + MSI_CAPABILITY + 8n, address >> 32n),
        writel(config(deviceId) + MSI_CAPABILITY + 12n, BigInt(data)),
        `writew ${hex(config(deviceId) + MSI_CAPABILITY + 2n)} 0x81`,
        writel(edu(deviceId) + 0x60n, 1n),
        writel(edu(deviceId) + 0x64n, 1n),
      ]),
    dma: async (deviceId, address, data) => {
      const finished = async (): Promise<void> => {
        for (let tries = 0; tries < 10_000; tries++) if ((BigInt((await qemu.ask([`readq ${hex(edu(deviceId) + 0x98n)}`]))[0]!) & 1n) === 0n) return;
        throw new Error("the edu device did not finish");
      };
      const move = (from: bigint, to: bigint, direction: bigint): string[] => [from, to, 4n, direction].map((value, at) => writeq(edu(deviceId) + 0x80n + BigInt(at * 8), value));
      await qemu.ask([writel(BUFFER, BigInt(data)), ...move(BUFFER, 0x4_0000n, 1n)]);
      await finished();
      await qemu.ask([...lookAndClear(), ...move(0x4_0000n, address, 3n)]);
      await finished();
      return pendingOf(await qemu.ask(lookAndClear()));
    },
    snapshot: async () => {
      const offsetsOf64 = [offsets.GITS_TYPER, offsets.GITS_CBASER, offsets.GITS_CWRITER, offsets.GITS_CREADR, ...Array.from({ length: 8 }, (_, at) => offsets.GITS_BASER + at * 8)];
      const [ctlr, ...values] = await qemu.ask([readl(GITS), ...offsetsOf64.map((offset) => `readq ${hex(GITS + BigInt(offset))}`)]);
      const registers = new Map([[offsets.GITS_CTLR, BigInt(ctlr!)], ...values.map((value, at) => [offsetsOf64[at]!, BigInt(value)] as const)]);
      // Only the first entries of a table's page are ever used.
      const level2 = (current.level1 ?? []).map((at) => [level2Page(current, at), 0x1000n] as const);
      const read = await memoryOf(qemu, [[DEVICE_TABLE, 0x1_0000n], [COLLECTION_TABLE, 0x1000n], [ITTS, 0x1000n], ...level2, [CMDQ, 0x1000n]]);
      return { registers, read };
    },
    smmu: async (streamTable, steps = []) => {
      const smmu = (name: keyof typeof smmuOffsets, value: bigint): string => writel(SMMU + BigInt(smmuOffsets[name]), value);
      lap ^= 2n;
      await qemu.ask([
        smmu("CR0", 8n),
        smmu("GBPA", 0x8000_1000n),
        ...steps.flatMap((step) => (step.kind === "store" ? [writeq(step.addr, step.value)] : [])),
        smmu("CMDQ_PROD", lap),
        ...(streamTable === undefined ? [] : [writeq(SMMU + BigInt(smmuOffsets.STRTAB_BASE), streamTable), smmu("STRTAB_BASE_CFG", 6n), smmu("CR0", 9n)]),
      ]);
    },
    word: async (address) => BigInt((await qemu.ask([readl(address)]))[0]!),
    end: qemu.end,
  };
};
