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

/** Where the images of machine states are kept, by their numbers: each once, and for good. */
export interface ImageStore {
  readonly image: (id: number, renaming: number) => number | undefined;
  /** False where the images of `id` are there already. */
  readonly keep: (id: number, images: readonly number[]) => boolean;
}
export const ownImages = (): ImageStore => {
  const kept: (readonly number[] | undefined)[] = [];
  return {
    image: (id, renaming) => kept[id]?.[renaming],
    keep: (id, images) => {
      if (kept[id] !== undefined) return false;
      kept[id] = images;
      return true;
    },
  };
};

export class Orbits {
  private readonly product: Group["product"];
  private readonly images: ImageStore;

  constructor({ product }: Group, first: number, images: ImageStore = ownImages()) {
    this.product = product;
    this.images = images;
    this.meet(product.map(() => first));
  }
  /** The number of the image of machine state `id` under a renaming. */
  image(id: number, renaming: number): number {
    return this.images.image(id, renaming) ?? impossible(`machine state ${id} has no images`);
  }
  /** Notes the images of machine state `images[0]`; throws NotAlike where they were others before. */
  meet(images: readonly number[]): void {
    if (this.images.image(images[0]!, 0) !== undefined) return this.agree(images[0]!, images, "the SMMU comes to different states by two ways that were taken for alike");
    for (const [at, id] of images.entries()) {
      const own = images.map((_, renaming) => images[this.product[renaming]![at]!]!);
      if (!this.images.keep(id, own)) this.agree(id, own, "a state of the SMMU is the image of two that were taken for different");
    }
  }
  private agree(id: number, images: readonly number[], otherwise: string): void {
    for (const [renaming, image] of images.entries()) if (this.images.image(id, renaming) !== image) throw new NotAlike(otherwise);
  }
}
