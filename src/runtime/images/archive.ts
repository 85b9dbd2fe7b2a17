/** Makes OCI image archives from files, for the images that Coxswain brings itself. */
import { createHash } from 'node:crypto';
import { pack } from 'tar-stream';

export interface ImageFile {
  path: string;
  content?: Buffer;
  mode?: number;
  link?: string;
  directory?: boolean;
}

export interface ImageSource {
  /** The full reference: host/name:tag. */
  name: string;
  /** process.arch. */
  architecture: string;
  files: ImageFile[];
  entrypoint?: string[];
  command?: string[];
  environment?: string[];
}

const epoch = new Date(0);

async function tarOf(files: ImageFile[]): Promise<Buffer> {
  const archive = pack();
  for (const file of files) {
    const base = { name: file.path, mtime: epoch, uid: 0, gid: 0 };
    if (file.directory) archive.entry({ ...base, type: 'directory', mode: file.mode ?? 0o755 });
    else if (file.link !== undefined) archive.entry({ ...base, type: 'symlink', linkname: file.link, mode: 0o777 });
    else archive.entry({ ...base, mode: file.mode ?? 0o644 }, file.content ?? Buffer.alloc(0));
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** An OCI layout of one or more single-layer images as one tar; equal input gives equal bytes. */
export async function imageArchive(images: ImageSource[]): Promise<Buffer> {
  const blobs = new Map<string, Buffer>();
  const blob = (content: Buffer): { digest: string; size: number } => {
    const hash = createHash('sha256').update(content).digest('hex');
    blobs.set(hash, content);
    return { digest: `sha256:${hash}`, size: content.length };
  };
  const manifests: unknown[] = [];
  for (const image of images) {
    const architecture = image.architecture === 'x64' ? 'amd64' : image.architecture;
    const layer = blob(await tarOf(image.files));
    const config = blob(
      Buffer.from(
        JSON.stringify({
          architecture,
          os: 'linux',
          config: {
            Entrypoint: image.entrypoint ?? null,
            Cmd: image.command ?? null,
            Env: image.environment ?? ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
          },
          rootfs: { type: 'layers', diff_ids: [layer.digest] },
        }),
      ),
    );
    const manifest = blob(
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
          layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
        }),
      ),
    );
    manifests.push({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      ...manifest,
      platform: { architecture, os: 'linux' },
      annotations: { 'io.containerd.image.name': image.name, 'org.opencontainers.image.ref.name': image.name.split(':').at(-1)! },
    });
  }
  return tarOf([
    { path: 'oci-layout', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { path: 'index.json', content: Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })) },
    { path: 'blobs', directory: true },
    { path: 'blobs/sha256', directory: true },
    ...[...blobs].map(([hash, content]) => ({ path: `blobs/sha256/${hash}`, content })),
  ]);
}
