/** `node tools/linux-snapshot/main.ts KIND FOLDER`: a snapshot of the SMMU of a Linux guest; README.md says the rest. */
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { debianGuest } from "./debian.ts";
import { decodedText, findingsOf } from "./decoded.ts";
import { Failure, fail } from "./failure.ts";
import { openSnapshot, pagesBytes, registersText } from "./files.ts";
import { initramfs, modulesFor } from "./initramfs.ts";
import { type Device, devicesOf, type Kind, kindOf, kinds } from "./kinds.ts";
import { type Stopped, withStoppedGuest } from "./machine.ts";
import { noted } from "./memory.ts";
import { casesOf, expectedLines, transactionLines } from "./transactions.ts";

const USAGE = `usage: node tools/linux-snapshot/main.ts KIND FOLDER [options]
       node tools/linux-snapshot/main.ts decode FOLDER

KIND
${kinds.map(({ name, says }) => `  ${name.padEnd(12)} ${says}`).join("\n")}
  decode       prints what a snapshot that exists holds

OPTIONS
  --flavour NAME    Debian kernel linux-image-NAME: arm64 (default), arm64-16k, cloud-arm64, or one with a version
  --fresh           download the kernel again
  --kernel IMAGE    a kernel of your own; without --initrd its drivers must be built in
  --initrd FILE     an initramfs of your own: it must print a line READY when DMA is going
  --append TEXT     kernel parameters after those of the kind
  --devices LIST    such as nvme,port:nvme,e1000e,virtio-blk,virtio-net
  --seconds N       how long the guest may take until READY (default 180)
`;
const SECONDS = 180;
const MOST_SECONDS = 3600;

interface Options {
  readonly kind: Kind;
  readonly folder: string;
  readonly devices: readonly Device[];
  readonly flavour: string;
  readonly fresh: boolean;
  readonly kernel: string | undefined;
  readonly initrd: string | undefined;
  readonly append: string;
  readonly seconds: number;
}

const tell = (line: string): void => void process.stderr.write(`${line}\n`);

const text = { type: "string" } as const;
const parsed = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: { flavour: text, fresh: { type: "boolean" }, kernel: text, initrd: text, append: text, devices: text, seconds: text, help: { type: "boolean", short: "h" } } });
  } catch (error) {
    throw new Failure(`${reason(error)}; --help lists the options`);
  }
};

const optionsOf = ({ values, positionals }: ReturnType<typeof parsed>): Options => {
  const [name, folder, ...more] = positionals;
  if (name === undefined || folder === undefined || more.length > 0) return fail(`a kind and a folder are wanted\n${USAGE}`);
  const kind = kindOf(name);
  const seconds = Number(values.seconds ?? SECONDS);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MOST_SECONDS) fail(`--seconds takes a whole number from 1 to ${MOST_SECONDS}`);
  const devices = values.devices === undefined ? kind.devices : devicesOf(values.devices);
  const { flavour = "arm64", fresh = false, kernel, initrd, append = "" } = values;
  return { kind, folder, devices, flavour, fresh, kernel, initrd, append, seconds };
};

/** Kernel and initramfs: each the user's own, or Debian's kernel and ours. */
const filesFor = ({ kernel, initrd, flavour, fresh, devices }: Options, work: string): { readonly kernel: string; readonly initrd: string } => {
  if (kernel !== undefined && initrd !== undefined) return { kernel, initrd };
  const guest = debianGuest(flavour, fresh, tell);
  tell(guest.packages.join(", "));
  if (initrd !== undefined) return { kernel: guest.kernel, initrd };
  const ours = join(work, "initramfs.gz");
  writeFileSync(ours, initramfs(readFileSync(guest.busybox), devices, kernel === undefined ? modulesFor(devices, guest.modules) : []));
  return { kernel: kernel ?? guest.kernel, initrd: ours };
};

const reason = (error: unknown): string => (error instanceof Error ? error.message : "no reason given");

/** Makes a folder with its parents, one at a time: Node's own `recursive` does not end where a parent refuses, as in /proc. */
const makeFolder = (folder: string): void => {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  mkdirSync(folder);
};
const ready = (folder: string): void => {
  try {
    makeFolder(resolve(folder));
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new Failure(`cannot write to ${folder}: ${reason(error)}`);
  }
};

const save = (folder: string, files: Readonly<Record<string, string | Uint8Array>>): void => {
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  } catch (error) {
    throw new Failure(`cannot write to ${folder}: ${reason(error)}`);
  }
};

/** Follows what the registers lead to, keeps those pages, and writes all files. Gives a sentence on what was found. */
const record = (folder: string, { smmu, its, memory, ram, console }: Stopped): string => {
  const reading = noted(memory);
  const findings = findingsOf(reading, (offset) => smmu.get(offset) ?? 0, (offset) => its.get(offset) ?? 0n);
  if (findings.streams.length === 0) fail("every stream aborts: the guest's driver did not take over the SMMU, or no device was found");
  const cases = casesOf(findings, [ram]);
  save(folder, {
    "regs.json": registersText(smmu, its, [ram], reading.tags),
    "pages.bin.gz": pagesBytes(memory, reading.tags),
    "decoded.txt": decodedText(findings),
    "transactions.jsonl": transactionLines(cases),
    "expected.jsonl": expectedLines(cases),
    "console.txt": console,
  });
  const leaves = findings.streams.reduce((sum, stream) => sum + stream.leaves.length, 0);
  return `${folder}: ${findings.streams.length} streams, ${leaves} mappings, ${reading.tags.size} pages, ${cases.length} transactions`;
};

const take = async (options: Options): Promise<void> => {
  ready(options.folder);
  const work = mkdtempSync(join(tmpdir(), "cofferdam-initramfs-"));
  // On exit, because an interrupt leaves no other time.
  process.once("exit", () => rmSync(work, { recursive: true, force: true }));
  const { kernel, initrd } = filesFor(options, work);
  const { kind, devices, append, seconds, folder } = options;
  tell(`booting ${kind.name}: ${options.devices === kind.devices ? kind.says : `${devices.length} devices as asked`}`);
  tell(await withStoppedGuest({ kind, devices, kernel, initrd, append, seconds }, (stopped) => record(folder, stopped)));
};

const decode = (folder: string | undefined): void => {
  const { memory, registers, its } = openSnapshot(folder ?? fail(`a folder is wanted\n${USAGE}`));
  process.stdout.write(decodedText(findingsOf(noted(memory), registers, its)));
};

try {
  const args = parsed(process.argv.slice(2));
  if (args.values.help === true) process.stdout.write(USAGE);
  else if (args.positionals[0] === "decode") decode(args.positionals[1]);
  else await take(optionsOf(args));
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  tell(`linux-snapshot: ${error.message}`);
  process.exitCode = 2;
}
