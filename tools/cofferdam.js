#!/usr/bin/env node
// The `cofferdam` command. It is plain JavaScript so that an old Node can read it: on a Node before 24 it runs the
// program on the Node 24 that the lockfile installs, with the same arguments, input, output, signals and exit status.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { fileURLToPath, pathToFileURL } from "node:url";

const NEEDED = 24;
const EXIT_USAGE = 2;

/** The source in the tree; the compiled program in an installed package, where Node takes no TypeScript. */
const source = "../src/cli/main.ts";
const compiled = "../dist/src/cli/main.js";
const installed = /[/\\]node_modules[/\\]/.test(fileURLToPath(import.meta.url));
const program = (installed ? [compiled] : [source, compiled]).map((path) => fileURLToPath(new URL(path, import.meta.url))).find((path) => existsSync(path));

/** The Node 24 that was installed as an optional dependency, or undefined on a system that has none. */
const installedNode = () => {
  const system = process.platform === "win32" ? "win" : process.platform;
  const file = process.platform === "win32" ? "node.exe" : "node";
  try {
    return createRequire(import.meta.url).resolve(`node-${system}-${process.arch}/bin/${file}`);
  } catch {
    return undefined;
  }
};

const stop = (sentence) => {
  process.stderr.write(`cofferdam: ${sentence}\n`);
  process.exitCode = EXIT_USAGE;
};

/** Runs the program on another Node, and ends as it ends. */
const runOn = (node, main) => {
  const child = spawn(node, [...process.execArgv, main, ...process.argv.slice(2)], { stdio: "inherit" });
  // The child decides what a signal means. Without a handler this process would leave before it.
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => stop(`Node ${NEEDED} at ${node} does not run here (${error.message}); install Node ${NEEDED} and try again`));
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
    if (signal === null) return;
    // A child that a signal ended: end by the same signal, which a shell reports as 128 + its number.
    for (const name of signals) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
};

/** Runs the program in this process: it is the Node that is needed. */
const runHere = async (main) => {
  process.argv[1] = main;
  await import(pathToFileURL(main).href);
};

if (program === undefined) stop("the program is missing from this package; install it again");
else if (Number(process.versions.node.split(".")[0]) >= NEEDED) await runHere(program);
else {
  const node = installedNode();
  if (node === undefined) stop(`this is Node ${process.versions.node} and Node ${NEEDED} is needed; install Node ${NEEDED} and try again`);
  else runOn(node, program);
}
