/** Entry of a thread of a parallel exploration: see protocol.ts. It has a model and a share of the states of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { impossible } from "../../base/diagnostic.ts";
import { heeded } from "../answering.ts";
import { askedProfile } from "../askedProfile.ts";
import { bootAt } from "../check.ts";
import { partSizes } from "../search/collapse.ts";
import { actingIn, createModel, machineWord } from "../model.ts";
import { properties } from "../properties/properties.ts";
import { Refusal } from "../refusal.ts";
import { loadProperties } from "../properties/userProperty.ts";
import { control as places, type Enlistment, FAILED, type Order, type Report } from "./protocol.ts";
import { Abandoned, Share } from "./share.ts";
import { sharedImages } from "./sharedImages.ts";
import { smallerBy, symmetryOf } from "../symmetry/group.ts";
import { NotAlike } from "../symmetry/orbits.ts";
import { sharedMachineIds } from "./sharedMachineIds.ts";
import { sharedValues } from "./sharedValues.ts";

const enlisted = workerData as Enlistment;
const say = (report: Report, transfer: ArrayBuffer[] = []): void => parentPort?.postMessage(report, transfer);

const fail = (error: unknown): void => {
  if (error instanceof NotAlike) say({ report: "notAlike", message: error.message });
  else if (error instanceof Refusal) say({ report: "refused", diagnostics: error.diagnostics });
  else if (!(error instanceof Abandoned)) say({ report: "failed", message: error instanceof Error ? `${error.name}: ${error.message}` : String(error), ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}) });
  // Others must not wait for what will not come.
  Atomics.store(new Int32Array(enlisted.control), places.stop, FAILED);
};

const serve = async (): Promise<void> => {
  const { layout, scope, profile, caches, unreduced, properties: names, propertyFiles, answering, member, machineIds, values, symmetry } = enlisted;
  const asked = askedProfile(profile);
  const judged = [...properties.filter(({ name }) => names.includes(name)), ...(await loadProperties(propertyFiles, heeded(answering, member + 1)))];
  if (judged.map(({ name }) => name).join() !== names.join()) impossible("a thread has other properties than it was told");
  const booted = bootAt(layout, asked.profile, { scope, unreduced });
  const group = symmetry === undefined ? undefined : smallerBy(symmetryOf(booted, actingIn(booted.plan)), symmetry.smaller);
  const alike = symmetry === undefined || group === undefined ? undefined : { group, images: sharedImages(symmetry.images, group.renamings.length) };
  const model = createModel(booted, judged, caches, { machines: sharedMachineIds(machineIds), values: sharedValues(values, partSizes(machineWord(booted.shape))) }, alike);
  const share = new Share(model, enlisted);
  const obey = (order: Order): void => {
    if (order.order === "expand") say(share.expand());
    else if (order.order === "sort") say(share.sort());
    else if (order.order === "judge") say(share.judge(order.ranks));
    else say({ report: "told", holdings: share.holdings(), reached: model.coverage.reached(layout.dma), asked: asked.asked(), represented: share.represented() });
  };
  parentPort?.on("message", (order: Order) => {
    try {
      obey(order);
    } catch (error) {
      fail(error);
    }
  });
};

try {
  await serve();
} catch (error) {
  fail(error);
}
