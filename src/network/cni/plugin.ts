/**
 * The plugin that gives a pod its link and address, and a stand-in for "loopback". They do what ptp, host-local and loopback do together, in
 * a shell and two calls of ip: those are three Go programs for each pod's beginning and again for its end, which cost more than the pod's
 * own processes. upstream: containernetworking/plugins main/ptp, ipam/host-local; CNI specification 1.0.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';

export const pluginType = 'coxswain';

export interface PluginOptions {
  /** One IPv4 network, no smaller than a /29. */
  podCidr: string;
  /** Where it remembers which address is whose. */
  dataDir: string;
  /** Default: the kernel's. */
  mtu?: number | undefined;
}

/** Whether the plugin can serve these pod networks; others need the standard ones. */
export function pluginServes(podCidrs: readonly string[]): boolean {
  return podCidrs.length === 1 && /^\d+\.\d+\.\d+\.\d+\/(\d|[12]\d)$/.test(podCidrs[0]!);
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The program: everything that depends on the node is written into it, so that it needs no parser for what the runtime tells it. */
export function pluginProgram({ podCidr, dataDir, mtu }: PluginOptions): string {
  const [address, length] = podCidr.split('/') as [string, string];
  const size = 2 ** (32 - Number(length));
  const whole = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const base = whole - (whole % size);
  const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
  const gateway = dotted(base + 1);
  const frame = mtu === undefined ? '' : ` mtu ${mtu}`;
  return `#!/bin/sh
# Written by Coxswain for this node; see src/network/cni/plugin.ts.
set -eu
data=${quote(dataDir)} base=${base} last=${size - 2}
say() { printf '%s\\n' "$1"; }
case $CNI_COMMAND in
ADD)
  [ -d "$data/containers" ] || mkdir -p "$data/addresses" "$data/containers" 2>/dev/null || :
  read -r at 2>/dev/null < "$data/last" || at=1
  tried=0
  # A file that can be made is an address that is free, whoever else looks at this moment; the next pod gets the next one.
  set -C
  while :; do
    tried=$((tried + 1)) at=$((at + 1))
    [ $at -le $last ] || at=2
    if [ $tried -ge $last ]; then
      say '{"cniVersion":"1.0.0","code":11,"msg":"no IP addresses available in range set: ${dotted(base + 1)}-${dotted(base + size - 2)}"}'
      exit 1
    fi
    whole=$((base + at))
    address=$((whole >> 24)).$((whole >> 16 & 255)).$((whole >> 8 & 255)).$((whole & 255))
    { say "$CNI_CONTAINERID" > "$data/addresses/$address"; } 2>/dev/null && break
  done
  set +C
  say "$address" > "$data/containers/$CNI_CONTAINERID"
  say $at > "$data/last"
  link=veth\${CNI_CONTAINERID%"\${CNI_CONTAINERID#????????}"}
  ip -batch - <<END
link add $link${frame} type veth peer name $CNI_IFNAME${frame} netns $CNI_NETNS
addr add ${gateway}/32 dev $link
link set $link up
route replace $address/32 dev $link
END
  nsenter --net="$CNI_NETNS" ip -batch - <<END
link set lo up
addr add $address/${length} brd + dev $CNI_IFNAME noprefixroute
link set $CNI_IFNAME up
route add ${gateway} dev $CNI_IFNAME scope link src $address
route add ${dotted(base)}/${length} via ${gateway} src $address
route add default via ${gateway}
END
  say "{\\"cniVersion\\":\\"1.0.0\\",\\"interfaces\\":[{\\"name\\":\\"$link\\"},{\\"name\\":\\"$CNI_IFNAME\\",\\"sandbox\\":\\"$CNI_NETNS\\"}],\\"ips\\":[{\\"interface\\":1,\\"address\\":\\"$address/${length}\\",\\"gateway\\":\\"${gateway}\\"}],\\"routes\\":[{\\"dst\\":\\"0.0.0.0/0\\"}],\\"dns\\":{}}"
  ;;
DEL)
  # The link goes with the pod's namespace.
  { read -r address < "$data/containers/$CNI_CONTAINERID"; } 2>/dev/null || exit 0
  rm -f "$data/addresses/$address" "$data/containers/$CNI_CONTAINERID"
  ;;
CHECK)
  if [ ! -e "$data/containers/$CNI_CONTAINERID" ]; then
    say '{"cniVersion":"1.0.0","code":3,"msg":"the pod has no address here"}'
    exit 1
  fi
  ;;
VERSION) say '{"cniVersion":"1.0.0","supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0"]}' ;;
esac
`;
}

/** The runtime calls "loopback" for every pod, whatever is configured; the plugin above has set it up. */
const loopbackProgram = `#!/bin/sh
# Written by Coxswain: its own plugin sets up the pod's loopback too.
case $CNI_COMMAND in
ADD) echo '{"cniVersion":"0.3.1"}' ;;
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0"]}' ;;
esac
`;

/** Writes both programs to a folder of the machine's own, which the runtime takes its plugins from. */
export async function writePlugins(folder: string, options: PluginOptions): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, program] of [
    [pluginType, pluginProgram(options)],
    ['loopback', loopbackProgram],
  ] as const) {
    await writeFile(`${folder}/${name}.new`, program, { mode: 0o755 });
    await rename(`${folder}/${name}.new`, `${folder}/${name}`);
  }
}
