/** A tiny initramfs: busybox, `init.sh`, and the modules that the devices need, in an order in which they load. */
import { execFileSync } from "node:child_process";
import { readFileSync, globSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync, gzipSync, zstdDecompressSync } from "node:zlib";
import { type Device, disksOf, modules } from "./kinds.ts";
import { Failure } from "./failure.ts";

interface Entry {
  readonly path: string;
  /** Type and permissions, as in `st_mode`. */
  readonly mode: number;
  readonly bytes?: Uint8Array;
  /** Major and minor number of a device node. */
  readonly node?: readonly [number, number];
}

const padded = (length: number): number => (length + 3) & ~3;
const TRAILER = "TRAILER!!!";

/** An archive in cpio's "newc" format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). */
const cpio = (entries: readonly Entry[]): Buffer =>
  Buffer.concat(
    [...entries, { path: TRAILER, mode: 0 }].flatMap(({ path, mode, bytes = new Uint8Array(), node = [0, 0] }: Entry, index) => {
      const name = Buffer.from(`${path}\0`);
      const numbers = [index + 1, mode, 0, 0, 1, 0, bytes.length, 0, 0, node[0], node[1], name.length, 0];
      const head = Buffer.concat([Buffer.from(`070701${numbers.map((number) => number.toString(16).padStart(8, "0")).join("")}`), name]);
      return [head, Buffer.alloc(padded(head.length) - head.length), Buffer.from(bytes), Buffer.alloc(padded(bytes.length) - bytes.length)];
    }),
  );

/** Module names treat `-` and `_` alike. */
const normal = (name: string): string => name.replaceAll("-", "_");
const nameOf = (path: string): string => normal(basename(path).replace(/\.ko(\.(xz|gz|zst))?$/, ""));

const unpacked = (path: string): Buffer => {
  if (path.endsWith(".gz")) return gunzipSync(readFileSync(path));
  if (path.endsWith(".zst")) return zstdDecompressSync(readFileSync(path));
  if (!path.endsWith(".xz")) return readFileSync(path);
  try {
    return execFileSync("xz", ["-dc", path], { maxBuffer: 2 ** 26 });
  } catch (error) {
    throw new Failure(`the kernel's modules are packed with xz, and unpacking ${basename(path)} failed; install xz-utils (${error instanceof Error ? error.message : "no reason given"})`);
  }
};

/** What a module says that it needs: the `depends=` string of its `.modinfo` section. */
const dependenciesOf = (module: Buffer): string[] => {
  const found = /\0depends=([\w,-]*)\0/.exec(module.toString("latin1"));
  return (found?.[1] ?? "").split(",").filter((name) => name !== "");
};

/**
 * Modules for the devices with all that these need, each after what it needs. `folder` is `lib/modules/VERSION` of a
 * kernel package. Throws Failure when one is neither there nor built in.
 */
export const modulesFor = (devices: readonly Device[], folder: string): Entry[] => {
  const files = new Map(globSync("kernel/**/*.ko*", { cwd: folder }).map((path) => [nameOf(path), join(folder, path)]));
  const builtIn = new Set(readFileSync(join(folder, "modules.builtin"), "utf8").split("\n").map(nameOf));
  const loaded = new Map<string, Buffer>();
  const load = (name: string): void => {
    if (loaded.has(name) || builtIn.has(name)) return;
    const path = files.get(name);
    if (path === undefined) throw new Failure(`this kernel has no module ${name}, and it is not built in`);
    const bytes = unpacked(path);
    for (const needed of dependenciesOf(bytes)) load(normal(needed));
    loaded.set(name, bytes);
  };
  for (const { name } of devices) for (const module of modules[name]) load(module);
  return [...loaded].map(([name, bytes], index) => ({ path: `modules/${String(index).padStart(2, "0")}-${name}.ko`, mode: 0o100644, bytes }));
};

/** The packed initramfs. `busybox` is a static binary for the guest. */
export const initramfs = (busybox: Uint8Array, devices: readonly Device[], moduleFiles: readonly Entry[]): Buffer => {
  const folders = ["bin", "dev", "modules"].map((path): Entry => ({ path, mode: 0o040755 }));
  return gzipSync(
    cpio([
      ...folders,
      // The kernel opens it before init runs.
      { path: "dev/console", mode: 0o020600, node: [5, 1] },
      { path: "bin/busybox", mode: 0o100755, bytes: busybox },
      { path: "init", mode: 0o100755, bytes: readFileSync(join(import.meta.dirname, "init.sh")) },
      { path: "wanted", mode: 0o100644, bytes: Buffer.from(`${disksOf(devices)}\n`) },
      ...moduleFiles,
    ]),
    { level: 1 },
  );
};
