/** The kinds of snapshot: which machine QEMU poses as, how its SMMU is set up, which devices do DMA. */
import { fail } from "./failure.ts";

/** A PCI function that the init of `init.sh` makes busy. */
export type DeviceName = "nvme" | "virtio-blk" | "e1000e" | "virtio-net";
export interface Device {
  readonly name: DeviceName;
  /** On a bus of its own behind a PCIe root port, so that its StreamID has another bus number. */
  readonly behindPort: boolean;
}

export interface Kind {
  readonly name: string;
  readonly says: string;
  readonly machine: string;
  /** Arguments of QEMU beside those that all kinds share. */
  readonly settings: readonly string[];
  /** Kernel parameters that make the driver build these tables. */
  readonly parameters: string;
  readonly devices: readonly Device[];
}

const on = (name: DeviceName, behindPort = false): Device => ({ name, behindPort });
const many: readonly Device[] = [on("nvme"), on("e1000e"), on("nvme", true), on("virtio-blk"), on("virtio-net")];
const machine = "virt";

export const kinds: readonly Kind[] = [
  { name: "s1-dma", says: "one NVMe controller in a stage-1 DMA domain, strict invalidation", machine, settings: [], parameters: "iommu.passthrough=0 iommu.strict=1", devices: [on("nvme")] },
  { name: "s1-multi", says: "five devices in stage-1 DMA domains, one of them behind a root port", machine, settings: [], parameters: "iommu.passthrough=0 iommu.strict=1", devices: many },
  // Machines from virt-9.2 on force stage=nested (hw/arm/virt.c); an older one leaves the choice.
  { name: "s2-only", says: "the same devices behind an SMMU that has stage 2 only", machine: "virt-9.1", settings: ["-global", "arm-smmuv3.stage=2"], parameters: "iommu.passthrough=0 iommu.strict=1", devices: many },
  { name: "passthrough", says: "the same devices in identity domains: bypass", machine, settings: [], parameters: "iommu.passthrough=1", devices: many },
];

export const kindOf = (name: string): Kind =>
  kinds.find((kind) => kind.name === name) ?? fail(`"${name}" is no kind of snapshot; the kinds are ${kinds.map((kind) => kind.name).join(", ")}`);

const names: readonly DeviceName[] = ["nvme", "virtio-blk", "e1000e", "virtio-net"];
/** Slots 02.0 to 1f.0 of the root bus; slot 1 is left alone. */
const MOST_DEVICES = 30;

/** Devices from text such as `nvme,port:nvme,e1000e`. */
export const devicesOf = (text: string): readonly Device[] => {
  const devices = text.split(",").map((part): Device => {
    const behindPort = part.startsWith("port:");
    const name = names.find((known) => known === (behindPort ? part.slice(5) : part));
    return name === undefined ? fail(`"${part}" is no device; a list has ${names.join(", ")}, each with port: before it to stand behind a root port`) : { name, behindPort };
  });
  return devices.length > MOST_DEVICES ? fail(`${devices.length} devices are too many; at most ${MOST_DEVICES}`) : devices;
};

/** Linux modules that drive a device, as far as they are not built in. */
export const modules: Readonly<Record<DeviceName, readonly string[]>> = {
  nvme: ["nvme"],
  "virtio-blk": ["virtio_pci", "virtio_blk"],
  e1000e: ["e1000e"],
  "virtio-net": ["virtio_pci", "virtio_net"],
};

const isDisk = ({ name }: Device): boolean => name === "nvme" || name === "virtio-blk";
export const disksOf = (devices: readonly Device[]): number => devices.filter(isDisk).length;

const DISK_BYTES = 2 ** 33;
/** A disk that holds nothing and takes its time, so that requests are under way whenever the machine stops. */
const disk = (id: string): string => `driver=null-co,node-name=${id},size=${DISK_BYTES},latency-ns=30000000,read-zeroes=on`;

const FIRST_SLOT = 2;
/** QEMU's arguments for devices, in slots from 02.0 on; a network card hears the others and nobody else. */
export const deviceArguments = (devices: readonly Device[]): string[] =>
  devices.flatMap((device, index) => {
    const slot = (FIRST_SLOT + index).toString(16);
    const place = device.behindPort ? `bus=port${index}` : `bus=pcie.0,addr=${slot}.0`;
    const port = device.behindPort ? ["-device", `pcie-root-port,id=port${index},bus=pcie.0,addr=${slot}.0,chassis=${index + 1}`] : [];
    const backend = isDisk(device) ? ["-blockdev", disk(`disk${index}`)] : ["-netdev", `hubport,id=net${index},hubid=0`];
    const front: Readonly<Record<DeviceName, string>> = {
      nvme: `nvme,serial=disk${index},drive=disk${index},mdts=0`,
      "virtio-blk": `virtio-blk-pci,drive=disk${index},iommu_platform=on,disable-legacy=on`,
      e1000e: `e1000e,netdev=net${index},romfile=`,
      "virtio-net": `virtio-net-pci,netdev=net${index},iommu_platform=on,disable-legacy=on,romfile=`,
    };
    return [...backend, ...port, "-device", `${front[device.name]},${place}`];
  });
