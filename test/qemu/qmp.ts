/** The one thing that qtest can't do and QMP can: reset the machine. JSON lines over a socket. */
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { QemuDied } from "./qtest.ts";

const RESET_MS = 10_000;

export interface Qmp {
  /** Resets every device; done when QEMU says that it is. Throws QemuDied. */
  readonly reset: () => Promise<void>;
  readonly end: () => void;
}

/** Connects to the socket of a running QEMU. */
export const connectQmp = (path: string): Qmp => {
  const socket = connect(path);
  let rest = "";
  let resets = 0;
  let closed = false;
  socket.on("data", (data: Buffer) => {
    const lines = `${rest}${data.toString()}`.split("\n");
    rest = lines.pop()!;
    resets += lines.filter((line) => (JSON.parse(line) as { event?: string }).event === "RESET").length;
  });
  socket.on("error", () => (closed = true));
  socket.on("close", () => (closed = true));
  const say = (execute: string): void => void socket.write(`${JSON.stringify({ execute })}\n`);
  say("qmp_capabilities");
  return {
    reset: async () => {
      const before = resets;
      say("system_reset");
      for (const until = Date.now() + RESET_MS; resets === before; await pause(1)) if (closed || Date.now() > until) throw new QemuDied("QEMU did not reset");
    },
    end: () => void socket.destroy(),
  };
};
