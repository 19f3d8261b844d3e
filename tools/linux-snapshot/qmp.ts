/** QEMU's monitor (docs/interop/qmp-spec): one JSON object a line, one answer a command. */
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { Failure } from "./failure.ts";

export interface Monitor {
  /** Gives what the command returns. Throws Failure. */
  readonly ask: (command: string, args?: Readonly<Record<string, unknown>>) => Promise<unknown>;
  readonly end: () => void;
}

const OPEN_MS = 10_000;
const ANSWER_MS = 30_000;

const opened = (path: string): Promise<Socket | undefined> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });

/** Connects as soon as QEMU listens. `dead` says that it never will. */
export const openMonitor = async (path: string, dead: () => boolean): Promise<Monitor> => {
  let socket: Socket | undefined;
  for (const until = Date.now() + OPEN_MS; socket === undefined && !dead() && Date.now() < until; ) {
    socket = await opened(path);
    if (socket === undefined) await pause(20);
  }
  if (socket === undefined) throw new Failure("QEMU did not start");
  const open = socket;
  let waiting: { readonly done: (value: unknown) => void; readonly failed: (error: Error) => void } | undefined;
  let rest = "";
  open.on("data", (data: Buffer) => {
    const lines = `${rest}${data.toString()}`.split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const answer = JSON.parse(line) as { readonly return?: unknown; readonly error?: { readonly desc?: string } };
      if (answer.error !== undefined) waiting?.failed(new Failure(`QEMU refuses: ${answer.error.desc ?? "no reason given"}`));
      // The greeting and events return nothing.
      else if ("return" in answer) waiting?.done(answer.return);
    }
  });
  const lost = (): void => waiting?.failed(new Failure("QEMU ended before it had answered"));
  open.on("error", lost);
  open.on("close", lost);
  const ask = async (command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> => {
    if (open.destroyed) throw new Failure("QEMU has ended");
    const timer = setTimeout(() => open.destroy(), ANSWER_MS);
    try {
      return await new Promise<unknown>((done, failed) => {
        waiting = { done, failed };
        open.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
      });
    } finally {
      waiting = undefined;
      clearTimeout(timer);
    }
  };
  await ask("qmp_capabilities");
  return { ask, end: () => open.destroy() };
};
