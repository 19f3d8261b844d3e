/**
 * Machine states under renamings. No word of memory is renamed: the image of a machine state is what the SMMU comes to
 * when the renamed invocations run on the renamed states, beginning with the first state, which is its own image. So a
 * renaming is right if this is a function, the same by whatever way a machine state is reached; that is looked at each
 * time, and so what is taken for alike has been shown to be (a bisimulation), not argued from how memory is laid out.
 */
import { impossible } from "../../base/diagnostic.ts";
import type { Group } from "./group.ts";

/** Things that were taken for alike are not: why, in words. */
export class NotAlike extends Error {
  override readonly name = "NotAlike";
}

/** The images of a machine state by renaming, and which of them a number is. */
interface Orbit {
  readonly images: readonly number[];
  readonly at: number;
}

export class Orbits {
  private readonly product: Group["product"];
  private readonly orbits: (Orbit | undefined)[] = [];

  constructor({ product }: Group, first: number) {
    this.product = product;
    this.meet(product.map(() => first));
  }
  /** The number of the image of machine state `id` under a renaming. */
  image(id: number, renaming: number): number {
    const { images, at } = this.orbits[id] ?? impossible(`machine state ${id} has no images`);
    return images[this.product[renaming]![at]!]!;
  }
  /** Notes the images of machine state `images[0]`; throws NotAlike where they were others before. */
  meet(images: readonly number[]): void {
    if (this.orbits[images[0]!] !== undefined) {
      for (let renaming = 0; renaming < images.length; renaming++) if (this.image(images[0]!, renaming) !== images[renaming]) throw new NotAlike("the SMMU comes to different states by two ways that were taken for alike");
      return;
    }
    for (const [at, id] of images.entries()) {
      const known = this.orbits[id];
      if (known === undefined) this.orbits[id] = { images, at };
      else if (known.images !== images) throw new NotAlike("a state of the SMMU is the image of two that were taken for different");
    }
    // Where two renamings give the same image, what follows must not depend on which of them is meant.
    for (const id of images) for (let renaming = 0; renaming < images.length; renaming++) this.consistent(images, id, renaming);
  }
  private consistent(images: readonly number[], id: number, renaming: number): void {
    const image = this.image(id, renaming);
    for (const [at, other] of images.entries()) if (other === id && images[this.product[renaming]![at]!] !== image) throw new NotAlike("two renamings that leave a state of the SMMU alike do not go together");
  }
}
