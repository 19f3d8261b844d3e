/** A Linux guest in QEMU, stopped while its devices do DMA: the registers of its SMMU and ITS, and all of its RAM. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Failure } from "./failure.ts";
import { type Device, deviceArguments, type Kind } from "./kinds.ts";
import { type Monitor, openMonitor } from "./qmp.ts";
import type { Memory } from "./memory.ts";

export interface Boot {
  readonly kind: Kind;
  readonly devices: readonly Device[];
  readonly kernel: string;
  readonly initrd: string;
  /** Kernel parameters after those of the kind. */
  readonly append: string;
  /** How long the guest may take until READY. */
  readonly seconds: number;
}
export interface Stopped {
  /** 32-bit values by offset. */
  readonly smmu: ReadonlyMap<number, number>;
  /** 64-bit values by offset. */
  readonly its: ReadonlyMap<number, bigint>;
  readonly memory: Memory;
  readonly ram: { readonly addr: bigint; readonly size: bigint };
  readonly console: string;
}

/** The `virt` machine's memory map (QEMU, hw/arm/virt.c, base_memmap). */
const SMMU = 0x0905_0000;
const ITS = 0x0808_0000;
const RAM = 0x4000_0000n;
const RAM_BYTES = 1n << 30n;
const PROGRAM = "qemu-system-aarch64";

/** Offset of the last register that is kept: IDR0 to PRIQ_IRQ_CFG2 (IHI 0070 "Register map"). */
const SMMU_LAST = 0xdc;
/** GITS_CTLR, 32 bits; TYPER; CBASER, CWRITER, CREADR; BASER0 to 3, 64 bits (IHI 0069 "ITS register map"). */
const ITS_CONTROL = 0;
const ITS_WIDE = [0x8, 0x80, 0x88, 0x90, 0x100, 0x108, 0x110, 0x118] as const;

const READY = /(^|\n)[^\n]{0,20}\bREADY\b/;
const FAILED = /(?:^|\n)FAILED: ([^\r\n]*)|(Kernel panic - not syncing[^\r\n]*)/;
const SHOWN_LINES = 8;
/** Time for the traffic to spread after READY, in milliseconds. */
const SPREAD_MS = 700;
const DEATH_MS = 300;

const machineArguments = ({ kind, devices, kernel, initrd, append }: Boot, folder: string): string[] =>
  [
    ["-machine", `${kind.machine},iommu=smmuv3,gic-version=3,memory-backend=ram`, "-accel", "tcg", "-cpu", "neoverse-n1", "-smp", "2"],
    ["-m", `${RAM_BYTES >> 20n}M`, "-object", `memory-backend-file,id=ram,size=${RAM_BYTES},mem-path=${join(folder, "ram")},share=on`],
    [...kind.settings, "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-qmp", `unix:${join(folder, "qmp")},server=on,wait=off`],
    ["-kernel", kernel, "-initrd", initrd, "-append", `console=ttyAMA0 panic=-1 ${kind.parameters} ${append}`.trim()],
    deviceArguments(devices),
  ].flat();

/** Text without what could drive a terminal. */
const plain = (text: string): string => text.replaceAll("\r", "").replace(/[^\n\t\x20-\x7e]/g, "?");
const lastLines = (text: string): string => plain(text).trim().split("\n").slice(-SHOWN_LINES).map((line) => `  ${line}\n`).join("");

interface Guest {
  readonly child: ChildProcess;
  readonly console: () => string;
  /** What QEMU itself said. */
  readonly complaint: () => string;
  readonly over: () => boolean;
}

const start = (boot: Boot, folder: string): Guest => {
  const child = spawn(PROGRAM, machineArguments(boot, folder), { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let complaint = "";
  let over = false;
  child.stdout.on("data", (data: Buffer) => (said += data.toString("latin1")));
  child.stderr.on("data", (data: Buffer) => (complaint = `${complaint}${data.toString("latin1")}`.slice(-4000)));
  child.once("error", (error: NodeJS.ErrnoException) => {
    over = true;
    complaint = error.code === "ENOENT" ? `${PROGRAM} is missing: install QEMU 10 or later (Debian: qemu-system-arm)` : error.message;
  });
  child.once("exit", () => (over = true));
  return { child, console: () => said, complaint: () => complaint, over: () => over };
};

const waitForReady = async (guest: Guest, seconds: number): Promise<void> => {
  for (const until = Date.now() + seconds * 1000; Date.now() < until; await pause(100)) {
    const failure = FAILED.exec(guest.console());
    if (failure !== null) throw new Failure(`the guest failed: ${plain(failure[1] ?? failure[2] ?? "")}; its console ends with\n${lastLines(guest.console())}`);
    if (READY.test(guest.console())) return;
    if (guest.over()) throw new Failure(`QEMU ended before the guest was ready: ${plain(guest.complaint()).trim()}\n${lastLines(guest.console())}`);
  }
  throw new Failure(`no READY on the console after ${seconds} s; it ends with\n${lastLines(guest.console())}`);
};

/** One register by the monitor's `xp`. One at a time: for several, `xp` makes wider accesses, which QEMU's SMMU answers with 0. */
const readRegister = async (monitor: Monitor, address: number, unit: "w" | "g"): Promise<bigint> => {
  const said = String(await monitor.ask("human-monitor-command", { "command-line": `xp /1x${unit} ${address}` }));
  const value = /: (0x[0-9a-f]+)\s*$/.exec(said)?.[1];
  if (value === undefined) throw new Failure(`QEMU's monitor gave no value for 0x${address.toString(16)}: ${plain(said).slice(0, 200)}`);
  return BigInt(value);
};

const readSmmu = async (monitor: Monitor): Promise<Map<number, number>> => {
  const smmu = new Map<number, number>();
  for (let offset = 0; offset <= SMMU_LAST; offset += 4) smmu.set(offset, Number(await readRegister(monitor, SMMU + offset, "w")));
  return smmu;
};

const readIts = async (monitor: Monitor): Promise<Map<number, bigint>> => {
  const its = new Map<number, bigint>([[ITS_CONTROL, await readRegister(monitor, ITS + ITS_CONTROL, "w")]]);
  for (const offset of ITS_WIDE) its.set(offset, await readRegister(monitor, ITS + offset, "g"));
  return its;
};

/** RAM as QEMU keeps it in a file. */
const ramOf = (path: string): Memory & { readonly close: () => void } => {
  const file = openSync(path, "r");
  return {
    page: (address) => {
      if (address < RAM || address + 0x1000n > RAM + RAM_BYTES) return undefined;
      const bytes = Buffer.alloc(0x1000);
      readSync(file, bytes, 0, bytes.length, Number(address - RAM));
      return bytes;
    },
    close: () => closeSync(file),
  };
};

/** Boots, waits for READY, stops the machine, hands over what it holds, and ends it. Throws Failure. */
export const withStoppedGuest = async <T>(boot: Boot, use: (stopped: Stopped) => T): Promise<T> => {
  const folder = mkdtempSync(join(tmpdir(), "cofferdam-guest-"));
  const guest = start(boot, folder);
  const end = (): void => {
    guest.child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  const interrupted = (): void => {
    end();
    process.exit(130);
  };
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  try {
    const monitor = await openMonitor(join(folder, "qmp"), guest.over).catch(async (error: unknown) => {
      // The connection may close a moment before the process is known to have ended, and only then has it said why.
      await pause(DEATH_MS);
      throw guest.over() ? new Failure(`QEMU did not start: ${plain(guest.complaint()).trim()}`) : error;
    });
    await waitForReady(guest, boot.seconds);
    await pause(SPREAD_MS);
    await monitor.ask("stop");
    const smmu = await readSmmu(monitor);
    const its = await readIts(monitor);
    const memory = ramOf(join(folder, "ram"));
    try {
      return use({ smmu, its, memory, ram: { addr: RAM, size: RAM_BYTES }, console: plain(guest.console()) });
    } finally {
      memory.close();
      monitor.end();
    }
  } finally {
    process.removeListener("SIGINT", interrupted);
    process.removeListener("SIGTERM", interrupted);
    end();
  }
};
