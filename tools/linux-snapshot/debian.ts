/**
 * Kernel and busybox for arm64 from the archive that this Debian machine uses, through an apt with a root of its own:
 * nothing of the machine's apt changes, and packages are checked against its keys.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, globSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { basename, join } from "node:path";
import { Failure, fail } from "./failure.ts";

export interface Guest {
  /** Kernel image that QEMU boots. */
  readonly kernel: string;
  /** `lib/modules/VERSION` of the kernel's package. */
  readonly modules: string;
  /** Static busybox for arm64. */
  readonly busybox: string;
  /** Package and version of both. */
  readonly packages: readonly string[];
}

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The folder for downloads. It has a guessable name, so one that belongs to somebody else is refused. */
const cacheFolder = (): string => {
  const { uid } = userInfo();
  const folder = join(tmpdir(), `cofferdam-linux-snapshot-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== uid) fail(`${folder} is not a folder of yours; remove it, or set TMPDIR`);
  chmodSync(folder, 0o700);
  return folder;
};

const run = (program: string, args: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}): string => {
  try {
    return execFileSync(program, args, { encoding: "utf8", maxBuffer: 2 ** 26, stdio: ["ignore", "pipe", "pipe"], ...options });
  } catch (error) {
    const { code, stderr } = error as { readonly code?: unknown; readonly stderr?: string };
    if (code === "ENOENT") throw new Failure(`${program} is missing: the kernel is taken from Debian, so this runs on Debian only; elsewhere give --kernel and --initrd`);
    const last = (stderr ?? "").trim().split("\n").slice(-3).join(" ");
    throw new Failure(`${program} ${args[0] ?? ""} failed: ${last === "" ? "it said nothing" : last}`);
  }
};

/** Archive addresses and suites of the machine, as apt reads them; only those that carry Debian's own packages. */
const sourcesOfMachine = (): readonly (readonly [uri: string, suite: string])[] => {
  const lines = run("apt-get", ["indextargets", "--format", "$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(CODENAME)", "Created-By: Packages"]).split("\n");
  const rows = lines.map((line) => line.split("\t")).filter((row) => row[2] === "main" && /^[a-z]+(-backports|-security|-updates)?$/.test(row[1] ?? ""));
  if (rows.length === 0) fail("apt knows no package lists on this machine; run apt-get update, or give --kernel and --initrd");
  return rows.map(([uri, suite]) => [uri!, suite!] as const);
};

const quoted = (text: string): string => `"${text.replaceAll('"', "")}"`;

/** Writes the configuration of an apt that knows arm64 alone, and gives the environment that makes apt use it. */
const privateApt = (root: string): NodeJS.ProcessEnv => {
  const at = (...parts: string[]): string => join(root, ...parts);
  for (const folder of ["state/lists/partial", "cache/archives/partial", "etc/empty"]) mkdirSync(at(folder), { recursive: true });
  writeFileSync(at("state/status"), "");
  const signed = existsSync(KEYRING) ? `Signed-By: ${KEYRING}\n` : "";
  const stanzas = sourcesOfMachine().map(([uri, suite]) => `Types: deb\nURIs: ${uri}\nSuites: ${suite}\nComponents: main\n${signed}`);
  writeFileSync(at("etc/machine.sources"), stanzas.join("\n"));
  // Backports rank below the release; equal ranks let the newest kernel win.
  writeFileSync(at("etc/preferences"), "Package: *\nPin: release *\nPin-Priority: 500\n");
  const settings: readonly (readonly [string, string])[] = [
    ["Dir::State", at("state")],
    ["Dir::State::status", at("state/status")],
    ["Dir::Cache", at("cache")],
    ["Dir::Etc::sourcelist", at("etc/machine.sources")],
    ["Dir::Etc::sourceparts", at("etc/empty")],
    ["Dir::Etc::preferences", at("etc/preferences")],
    ["Dir::Etc::preferencesparts", at("etc/empty")],
    ["APT::Architecture", "arm64"],
    ["APT::Sandbox::User", userInfo().username],
    ["Acquire::Languages", "none"],
  ];
  writeFileSync(at("apt.conf"), `${settings.map(([name, value]) => `${name} ${quoted(value)};\n`).join("")}#clear APT::Architectures;\nAPT::Architectures "arm64";\n`);
  return { ...process.env, APT_CONFIG: at("apt.conf"), LC_ALL: "C" };
};

/** The package that a metapackage such as `linux-image-arm64` stands for; one of a version stands for itself. */
const realPackage = (name: string, env: NodeJS.ProcessEnv): string => {
  const known = run("apt-cache", ["pkgnames", name], { env }).split("\n");
  if (!known.includes(name)) fail(`the archive of this machine has no kernel package ${name} for arm64`);
  return /Depends: (linux-image-\S+)/.exec(run("apt-cache", ["depends", "--important", name], { env }))?.[1] ?? name;
};

const only = (what: string, pattern: string, cwd: string): string => {
  const found = globSync(pattern, { cwd });
  return found.length === 1 ? join(cwd, found[0]!) : fail(`the kernel's package has ${found.length} files that may be the ${what} (${pattern})`);
};

/** Downloads and unpacks into a new folder, which takes its name only when all of it is there. */
const download = (cache: string, folder: string, flavour: string): void => {
  const work = mkdtempSync(join(cache, "new-"));
  try {
    const env = privateApt(join(work, "apt"));
    run("apt-get", ["update", "-q"], { env });
    const kernel = realPackage(`linux-image-${flavour}`, env);
    const debs = join(work, "debs");
    const unpackedTo = join(work, "unpacked");
    mkdirSync(debs);
    run("apt-get", ["download", "-q", kernel, "busybox-static"], { env, cwd: debs });
    for (const deb of readdirSync(debs)) run("dpkg-deb", ["-x", join(debs, deb), unpackedTo]);
    const guest = join(work, "guest");
    mkdirSync(guest);
    copyFileSync(only("kernel", "boot/vmlinuz-*", unpackedTo), join(guest, "Image"));
    copyFileSync(only("busybox", "{bin,usr/bin}/busybox", unpackedTo), join(guest, "busybox"));
    renameSync(only("folder of modules", "{lib,usr/lib}/modules/*", unpackedTo), join(guest, "modules"));
    writeFileSync(join(guest, "packages"), `${readdirSync(debs).map((deb) => decodeURIComponent(basename(deb, ".deb"))).join("\n")}\n`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(guest, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
};

/**
 * The guest of a Debian kernel flavour (`arm64`, `arm64-16k`, `cloud-arm64`), downloaded once. `fresh` downloads it again.
 * Throws Failure.
 */
export const debianGuest = (flavour: string, fresh: boolean, tell: (line: string) => void): Guest => {
  if (!/^[a-z0-9][a-z0-9.+-]*$/.test(flavour)) fail(`"${flavour}" is no kernel flavour; one is arm64`);
  const cache = cacheFolder();
  const folder = join(cache, flavour);
  if (fresh || !existsSync(join(folder, "packages"))) {
    tell(`downloading the Debian kernel ${flavour} into ${folder}`);
    download(cache, folder, flavour);
  }
  const packages = readFileSync(join(folder, "packages"), "utf8").trim().split("\n");
  return { kernel: join(folder, "Image"), modules: join(folder, "modules"), busybox: join(folder, "busybox"), packages };
};
