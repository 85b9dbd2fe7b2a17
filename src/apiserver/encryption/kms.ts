/** Keys that another program keeps: KMS version 2 over a unix socket. upstream: storage/value/encrypt/envelope/kmsv2, k8s.io/kms/apis/v2. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Client as GrpcClient } from '@grpc/grpc-js';
import type { Clock, Timer } from '#machinery/clock';
import { messageCodec } from '#machinery/codec';
import type { Log } from '#machinery/log';
import { ExtendedGcm, openGcm } from './aes.ts';
import { withPrefix } from './transformer.ts';
import type { Plain, Transformer } from './transformer.ts';

const codec = messageCodec({
  enums: {},
  messages: {
    StatusRequest: {},
    StatusResponse: {
      version: { number: 1, type: 'string' },
      healthz: { number: 2, type: 'string' },
      key_id: { number: 3, type: 'string' },
    },
    DecryptRequest: {
      ciphertext: { number: 1, type: 'bytes' },
      uid: { number: 2, type: 'string' },
      key_id: { number: 3, type: 'string' },
      annotations: { number: 4, type: 'bytes', map: 'string' },
    },
    DecryptResponse: { plaintext: { number: 1, type: 'bytes' } },
    EncryptRequest: { plaintext: { number: 1, type: 'bytes' }, uid: { number: 2, type: 'string' } },
    EncryptResponse: {
      ciphertext: { number: 1, type: 'bytes' },
      key_id: { number: 2, type: 'string' },
      annotations: { number: 3, type: 'bytes', map: 'string' },
    },
    EncryptedObject: {
      encryptedData: { number: 1, type: 'bytes' },
      keyID: { number: 2, type: 'string' },
      encryptedDEKSource: { number: 3, type: 'bytes' },
      annotations: { number: 4, type: 'bytes', map: 'string' },
      encryptedDEKSourceType: { number: 5, type: 'int32' },
    },
  },
});

interface EncryptedObject {
  encryptedData?: Uint8Array;
  keyID?: string;
  encryptedDEKSource?: Uint8Array;
  annotations?: Record<string, Uint8Array>;
  encryptedDEKSourceType?: number;
}

/** encryptedDEKSource decrypts to a seed; 0 would be to the key itself. */
const seedType = 1;
/** Milliseconds between looks at the plugin's key while it is well, and while it is not. */
const healthyPeriod = 60_000;
const unhealthyPeriod = 10_000;
/** For so long after the last good answer may be written. */
const writable = 3 * 60_000;
const seedSize = 32;

interface WriteState {
  keyId: string;
  object: EncryptedObject;
  gcm: ExtendedGcm;
  until: number;
}

export interface KmsOptions {
  name: string;
  /** "unix:///path". */
  endpoint: string;
  /** Milliseconds a call may take. */
  timeout: number;
  clock: Clock;
  log: Log;
}

export class KmsProvider implements Transformer {
  readonly name: string;
  readonly prefix: string;
  readonly #options: KmsOptions;
  readonly #sources = new Map<string, (stored: Uint8Array, key: string) => Uint8Array>();
  #client: GrpcClient | undefined;
  #state: WriteState | undefined;
  #timer: Timer | undefined;
  #closed = false;
  /** Why it cannot be used; undefined where it can. */
  error: string | undefined = 'kms has not been asked yet';

  constructor(options: KmsOptions) {
    this.#options = options;
    this.name = options.name;
    this.prefix = `k8s:enc:kms:v2:${options.name}:`;
  }

  /** Resolves after the first look at the plugin, whatever came of it. The plugin has to be looked at: it says nothing by itself. */
  async start(): Promise<void> {
    const grpc = await import('@grpc/grpc-js');
    this.#client = new grpc.Client(this.#options.endpoint, grpc.credentials.createInsecure(), { 'grpc.default_authority': 'localhost' });
    await this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#client?.close();
  }

  label(): string {
    return `${this.prefix}${this.#state?.keyId ?? ''}`;
  }

  encrypt(plain: Uint8Array, key: string): Uint8Array {
    const state = this.#state;
    if (!state) throw new Error(`KMS provider ${this.name} cannot be used: ${this.error}`);
    if (this.#options.clock.monotonic() > state.until)
      throw new Error(`encryptedDEKSource with keyID hash ${JSON.stringify(hashOf(state.keyId))} expired: ${this.error ?? ''}`);
    return withPrefix(this.prefix, codec.encode('EncryptedObject', { ...state.object, encryptedData: state.gcm.encrypt(plain, key) }));
  }

  decrypt(stored: Uint8Array, key: string): Plain | Promise<Plain> {
    const object = codec.decode('EncryptedObject', stored.subarray(this.prefix.length)) as EncryptedObject;
    const { encryptedData, keyID = '', encryptedDEKSource } = object;
    if (!encryptedData?.length) throw new Error('encrypted data is empty');
    if (!encryptedDEKSource?.length) throw new Error('failed to validate encrypted DEK source: encrypted DEK source is empty');
    if (!keyID) throw new Error('failed to validate key id: keyID is empty');
    const label = `${this.prefix}${keyID}`;
    const source = sourceKey(object);
    const known = this.#sources.get(source);
    if (known) return { value: known(encryptedData, key), label };
    return this.#fetch(object, source).then((open) => ({ value: open(encryptedData, key), label }));
  }

  async #fetch(object: EncryptedObject, source: string): Promise<(stored: Uint8Array, key: string) => Uint8Array> {
    const { plaintext } = await this.#call<{ plaintext?: Uint8Array }>('Decrypt', {
      ciphertext: object.encryptedDEKSource,
      uid: randomUUID(),
      key_id: object.keyID,
      ...(object.annotations && { annotations: object.annotations }),
    }).catch((error: Error) => {
      throw new Error(`failed to decrypt DEK, error: ${error.message}`, { cause: error });
    });
    const secret = plaintext ?? new Uint8Array();
    let open: (stored: Uint8Array, key: string) => Uint8Array;
    if (object.encryptedDEKSourceType === seedType) {
      const gcm = new ExtendedGcm(secret);
      open = (stored, key) => gcm.decrypt(stored, key);
    } else open = (stored, key) => openGcm(secret, stored, key);
    this.#sources.set(source, open);
    return open;
  }

  async #look(): Promise<void> {
    try {
      const status = await this.#call<{ version?: string; healthz?: string; key_id?: string }>('Status', {});
      if (status.healthz !== 'ok') throw new Error(`got unexpected healthz status: ${status.healthz ?? ''}`);
      if (status.version !== 'v2' && status.version !== 'v2beta1')
        throw new Error(`expected KMSv2 API version v2 or v2beta1, got ${status.version ?? ''}`);
      const keyId = status.key_id ?? '';
      if (!keyId || keyId.length > 1024) throw new Error(keyId ? 'keyID is too long' : 'keyID is empty');
      if (this.#state?.keyId !== keyId) this.#state = await this.#newState();
      this.#state.until = this.#options.clock.monotonic() + writable;
      this.error = undefined;
    } catch (error) {
      this.error = (error as Error).message;
      if (!this.#closed) this.#options.log.warn('KMS provider does not answer as it should', { provider: this.name, error });
    }
    if (!this.#closed)
      this.#timer = this.#options.clock.setTimeout(() => void this.#look(), this.error === undefined ? healthyPeriod : unhealthyPeriod);
  }

  async #newState(): Promise<WriteState> {
    const seed = randomBytes(seedSize);
    const {
      ciphertext,
      key_id: keyId = '',
      annotations,
    } = await this.#call<{
      ciphertext?: Uint8Array;
      key_id?: string;
      annotations?: Record<string, Uint8Array>;
    }>('Encrypt', { plaintext: seed, uid: randomUUID() });
    if (!ciphertext?.length || ciphertext.length > 1024) throw new Error('failed to validate encrypted DEK source');
    if (!keyId) throw new Error('failed to validate key id: keyID is empty');
    const object: EncryptedObject = {
      keyID: keyId,
      encryptedDEKSource: ciphertext,
      ...(annotations && { annotations }),
      encryptedDEKSourceType: seedType,
    };
    const gcm = new ExtendedGcm(seed);
    this.#sources.set(sourceKey(object), (stored, key) => gcm.decrypt(stored, key));
    return { keyId, object, gcm, until: 0 };
  }

  #call<T>(method: string, request: object): Promise<T> {
    return new Promise((resolve, reject) => {
      const deadline = this.#options.clock.now() + this.#options.timeout;
      this.#client!.makeUnaryRequest(
        `/v2.KeyManagementService/${method}`,
        (value: object) => codec.encode(`${method}Request`, value),
        (bytes: Buffer) => codec.decode(`${method}Response`, bytes),
        request,
        { deadline },
        (error, answer) => (error ? reject(error) : resolve((answer ?? {}) as T)),
      );
    });
  }
}

const hashOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

const sourceKey = ({ encryptedDEKSource, keyID, annotations, encryptedDEKSourceType }: EncryptedObject): string =>
  JSON.stringify([
    encryptedDEKSourceType ?? 0,
    Buffer.from(encryptedDEKSource ?? []).toString('base64'),
    keyID,
    Object.entries(annotations ?? {})
      .map(([name, value]) => `${name}=${Buffer.from(value).toString('base64')}`)
      .sort((left, right) => (left < right ? -1 : 1)),
  ]);
