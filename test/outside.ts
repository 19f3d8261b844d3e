/**
 * Tools that the project does not install through npm: QEMU, dtc, a C compiler. A test that needs one asks here.
 * Without it the test is not registered and a line in the summary says so; with `CI=true` a missing tool is a failure.
 */
import { execFileSync } from "node:child_process";
import { it } from "vitest";

/** Path of the tool on this machine, or undefined after having registered what the summary must say. */
export const outside = (tool: string, needed: string): string | undefined => {
  try {
    return execFileSync("sh", ["-c", `command -v "$1"`, "sh", tool], { encoding: "utf8" }).trim();
  } catch {
    if (process.env["CI"] === "true") {
      it(`${tool} is installed (${needed})`, () => {
        throw new Error(`${tool} is missing; .ci/run must install it: ${needed}`);
      });
    } else {
      it.todo(`did not run: ${needed} (${tool} is not installed)`);
    }
    return undefined;
  }
};
