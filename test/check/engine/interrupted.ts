/** A search for checkpoint.test.ts to kill: size S on so many threads, a checkpoint as often as it can, one line a checkpoint. */
import { existsSync } from "node:fs";
import { explore } from "../../../src/check/engine/search.ts";
import { sizes, smmuCap } from "../../../tools/bench/smmuCap.ts";

const [file, threads] = process.argv.slice(2);
let told = false;
explore(smmuCap(sizes.S), {
  threads: Number(threads),
  chunk: 16,
  checkpoint: { file: file!, seconds: 0.02 },
  watchMilliseconds: 0,
  watch: ({ states }) => {
    if (states > 100_000 && existsSync(file!) && !told) {
      told = true;
      process.stdout.write("far enough\n");
    }
    // Slow enough to be killed in the middle.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    return true;
  },
});
process.stdout.write("done\n");
