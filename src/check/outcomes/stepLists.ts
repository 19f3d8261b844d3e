/** Lists of steps for the SMMU by number: what invocations give is given again and again. */
import type { Step } from "../../base/step.ts";

/** Steps for the SMMU, and those that the renamed invocation gives it in each image of the state; equal lists are one object. */
export interface StepList {
  readonly id: number;
  readonly steps: readonly Step[];
  /** By renaming, the identity among them; empty where nothing is taken for alike. */
  readonly images: readonly (readonly Step[])[];
  /** Nothing is given, in no image. */
  readonly idle: boolean;
}

export class StepLists {
  private readonly known = new Map<string, StepList>();
  private readonly byNumber: StepList[] = [];
  private readonly stepIds = new Map<Step, number>();

  of(steps: readonly Step[], images: readonly (readonly Step[])[] = []): StepList {
    const key = [steps, ...images].map((list) => this.keyOf(list)).join("|");
    let list = this.known.get(key);
    if (list === undefined) {
      this.known.set(key, (list = { id: this.byNumber.length, steps: [...steps], images: images.length === 0 ? [] : [[...steps], ...images], idle: [steps, ...images].every(({ length }) => length === 0) }));
      this.byNumber.push(list);
    }
    return list;
  }
  at(id: number): StepList {
    return this.byNumber[id]!;
  }
  all(): Iterable<StepList> {
    return this.byNumber;
  }
  private keyOf(steps: readonly Step[]): string {
    return steps
      .map((step) => {
        const id = this.stepIds.get(step) ?? this.stepIds.size;
        this.stepIds.set(step, id);
        return id;
      })
      .join(" ");
  }
}
