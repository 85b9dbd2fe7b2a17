/**
 * The sandbox's init process: a static program of under 200 bytes that ignores SIGCHLD (so that the kernel reaps orphans) and pauses for ever.
 * upstream: build/pause. Written as machine code, so that starting a cluster needs neither a compiler nor a download.
 */

const base = 0x400000n;
const headers = 64 + 56;

/** rt_sigaction(SIGCHLD, {SIG_IGN}, NULL, 8); for (;;) pause(); */
const x64 = Buffer.from(
  [
    'b80d000000', // mov eax, 13 (rt_sigaction)
    'bf11000000', // mov edi, 17 (SIGCHLD)
    '488d3513000000', // lea rsi, [rip + 19] (the action, behind the code)
    '31d2', // xor edx, edx
    '41ba08000000', // mov r10d, 8
    '0f05', // syscall
    'b822000000', // mov eax, 34 (pause)
    '0f05', // syscall
    'ebf7', // jmp to the pause
  ].join(''),
  'hex',
);

function arm64(): Buffer {
  const movz = (register: number, value: number): number => (0xd2800000 | (value << 5) | register) >>> 0;
  const svc = 0xd4000001;
  const words = [
    movz(8, 134), // rt_sigaction
    movz(0, 17),
    0x10000000, // adr x1, the action: filled in below
    movz(2, 0),
    movz(3, 8),
    svc,
    movz(0, 0), // arm64 has no pause: ppoll(NULL, 0, NULL, NULL)
    movz(1, 0),
    movz(2, 0),
    movz(3, 0),
    movz(8, 73),
    svc,
    (0x14000000 | (-6 & 0x3ffffff)) >>> 0, // b to the ppoll
  ];
  const offset = (words.length - 2) * 4;
  words[2] = (0x10000000 | ((offset & 3) << 29) | ((offset >> 2) << 5) | 1) >>> 0;
  const code = Buffer.alloc(words.length * 4);
  words.forEach((word, index) => code.writeUInt32LE(word, index * 4));
  return code;
}

/** The program as an ELF file for the architecture ('x64' or 'arm64', as process.arch). */
export function pauseProgram(architecture: string): Buffer {
  const machine = { x64: 62, arm64: 183 }[architecture];
  if (machine === undefined) throw new Error(`Cannot make a sandbox image: architecture ${architecture} is not supported`);
  const code = architecture === 'x64' ? x64 : arm64();
  const action = Buffer.alloc(32);
  action.writeBigUInt64LE(1n, 0); // SIG_IGN
  const size = BigInt(headers + code.length + action.length);
  const header = Buffer.alloc(headers);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(base + BigInt(headers), 24); // entry
  header.writeBigUInt64LE(64n, 32); // program headers
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64); // PT_LOAD
  header.writeUInt32LE(5, 68); // read, execute
  header.writeBigUInt64LE(base, 80);
  header.writeBigUInt64LE(base, 88);
  header.writeBigUInt64LE(size, 96);
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code, action]);
}
