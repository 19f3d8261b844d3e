/** The images of machine states under renamings (symmetry/orbits.ts), in memory that all threads of a run share. */
import type { ImageStore } from "../symmetry/orbits.ts";
import { MOST_MACHINES } from "./sharedMachineIds.ts";

/** Before the images of a machine state: nobody has them, somebody writes them, they are there. */
const [ABSENT, WRITING, THERE] = [0, 1, 2];

export const sharedImagesBuffer = (renamings: number): SharedArrayBuffer => new SharedArrayBuffer(MOST_MACHINES * (renamings + 1) * 4);

export const sharedImages = (buffer: SharedArrayBuffer, renamings: number): ImageStore => {
  const words = new Int32Array(buffer);
  const stride = renamings + 1;
  /** Waits for who is writing. */
  const isThere = (at: number): boolean => {
    for (;;) {
      const mark = Atomics.load(words, at);
      if (mark !== WRITING) return mark === THERE;
      Atomics.wait(words, at, WRITING, 1);
    }
  };
  return {
    image: (id, renaming) => (isThere(id * stride) ? words[id * stride + 1 + renaming] : undefined),
    keep: (id, images) => {
      const at = id * stride;
      if (Atomics.compareExchange(words, at, ABSENT, WRITING) !== ABSENT) return isThere(at) && false;
      words.set(images, at + 1);
      Atomics.store(words, at, THERE);
      Atomics.notify(words, at);
      return true;
    },
  };
};
