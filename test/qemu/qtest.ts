/**
 * QEMU's SMMUv3 as a machine to ask: one process, no guest code, its memory and registers driven over the qtest
 * protocol, and the `edu` device for DMA. One line a command; answers come in order, so commands are pipelined.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** An answer takes far less; past it QEMU counts as dead. */
const ANSWER_MS = 10_000;
const START_MS = 10_000;

export class QemuDied extends Error {
  override readonly name = "QemuDied";
}

/** How this QEMU differs from the usual one. */
export interface QemuOptions {
  /** Machine, `virt` when left out: older versions have an SMMU of one stage. */
  readonly machine?: string;
  /** Further arguments. */
  readonly extra?: readonly string[];
  /** Open a socket for QMP, too. */
  readonly qmp?: boolean;
}

export interface Qtest {
  /** Sends commands at once and gives the words of each answer, without its `OK`. Throws QemuDied. */
  readonly ask: (commands: readonly string[]) => Promise<string[]>;
  /** File with a line for each transaction that was let through. */
  readonly trace: string;
  /** Path of the QMP socket, if it was asked for. */
  readonly qmp?: string;
  /** Ends the process; safe to call twice. */
  readonly end: () => void;
}

/** `virt` with a nested SMMUv3; the CPU stays off, and the clock leaps to the next timer, so DMA is at once. */
const machineArguments = (socket: string, trace: string, qmp: string, options: QemuOptions): string[] =>
  [
    ["-machine", `${options.machine ?? "virt"},iommu=smmuv3,gic-version=3`, "-accel", "tcg", "-cpu", "cortex-a57,start-powered-off=on"],
    ["-icount", "shift=0,sleep=off", "-m", "256M", "-display", "none", "-nodefaults"],
    ["-qtest", `unix:${socket},server=on,wait=off`, "-qtest-log", "/dev/null"],
    ["-device", "edu,addr=04.0,dma_mask=0xffffffffffffffff"],
    ["-trace", "smmuv3_translate_*", "-D", trace],
    options.qmp === true ? ["-qmp", `unix:${qmp},server=on,wait=off`] : [],
    options.extra ?? [],
  ].flat();

const connected = async (path: string, child: ChildProcess): Promise<Socket> => {
  for (const until = Date.now() + START_MS; Date.now() < until; await pause(10)) {
    if (child.exitCode !== null) break;
    const socket = connect(path);
    const opened = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    if (opened) return socket;
  }
  throw new QemuDied("QEMU did not start");
};

interface Waiting {
  readonly wanted: number;
  readonly lines: string[];
  readonly done: (lines: string[]) => void;
  readonly failed: (error: Error) => void;
}

/** Starts QEMU, with its socket and trace in a folder that ends with it. Throws QemuDied. */
export const startQemu = async (program: string, options: QemuOptions = {}): Promise<Qtest> => {
  const folder = mkdtempSync(join(tmpdir(), "cofferdam-qemu-"));
  const path = join(folder, "qtest.sock");
  const trace = join(folder, "trace.log");
  const qmp = join(folder, "qmp.sock");
  const child = spawn(program, machineArguments(path, trace, qmp, options), { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (data: Buffer) => (said = `${said}${data.toString()}`.slice(-2000)));
  const kill = (): void => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", kill);
  let waiting: Waiting | undefined;
  const fail = (): void => {
    waiting?.failed(new QemuDied(`QEMU died: ${said.trim()}`));
    waiting = undefined;
  };
  child.once("exit", fail);
  let socket: Socket;
  try {
    socket = await connected(path, child);
  } catch (error) {
    kill();
    throw error;
  }
  socket.setNoDelay(true);
  socket.on("error", fail);
  socket.on("close", fail);
  let rest = "";
  socket.on("data", (data: Buffer) => {
    const parts = `${rest}${data.toString()}`.split("\n");
    rest = parts.pop()!;
    if (waiting === undefined) return;
    waiting.lines.push(...parts.filter((line) => !line.startsWith("IRQ")));
    if (waiting.lines.length < waiting.wanted) return;
    const { done, lines } = waiting;
    waiting = undefined;
    done(lines);
  });
  return {
    trace,
    ...(options.qmp === true ? { qmp } : {}),
    ask: async (commands) => {
      if (child.exitCode !== null || child.signalCode !== null || socket.destroyed) throw new QemuDied(`QEMU died: ${said.trim()}`);
      const timer = setTimeout(() => child.kill("SIGKILL"), ANSWER_MS);
      try {
        const lines = await new Promise<string[]>((done, failed) => {
          waiting = { wanted: commands.length, lines: [], done, failed };
          socket.write(commands.map((command) => `${command}\n`).join(""));
        });
        return lines.map((line, at) => {
          if (!line.startsWith("OK")) throw new Error(`qtest: ${commands[at]}: ${line}`);
          return line.slice(3);
        });
      } finally {
        clearTimeout(timer);
      }
    },
    end: () => {
      process.removeListener("exit", kill);
      socket.destroy();
      kill();
    },
  };
};
