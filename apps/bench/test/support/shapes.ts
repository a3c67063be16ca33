import * as v from 'valibot';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const text = v.pipe(v.string(), v.minLength(1));
const ns = v.strictObject({ median: v.number(), min: v.number(), max: v.number(), mad: v.number() });
const work = v.strictObject({ tablesRead: count, entriesWritten: count, tablesAllocated: count });
const machine = v.strictObject({ cpu: text, cores: count, node: text, platform: text });
const balance = v.strictObject({ before: count, peak: count, after: count });

/** The shape of `layout --json`, with no key more and none less than the README documents. */
export const layoutShape = v.strictObject({
  command: v.literal('layout'),
  schema: v.literal(1),
  machine,
  input: v.strictObject({
    file: text,
    title: text,
    lines: count,
    pageBytes: count,
    pageBytesFrom: v.picklist(['option', 'lines', 'default']),
    guardPages: count,
    areas: v.record(
      v.picklist(['vmalloc', 'vmap', 'ioremap', 'sparse', 'dma-coherent', 'vm_map_ram', 'per-cpu', 'other']),
      count,
    ),
    unpurged: count,
    hashedLines: count,
    unknownWords: v.record(v.string(), count),
    skipped: v.strictObject({
      lines: count,
      first: v.array(v.strictObject({ line: count, column: count, message: text })),
    }),
  }),
  seed: count,
  repeat: count,
  rows: v.array(
    v.strictObject({
      configuration: text,
      title: text,
      linux: text,
      leafPolicy: v.picklist(['base', 'huge']),
      pageBytes: count,
      areas: v.strictObject({
        placed: count,
        mapped: count,
        sparse: count,
        unknownContent: count,
        unreachable: count,
        doesNotFit: count,
      }),
      mapped: v.strictObject({ bytes: count, pages: count }),
      rounding: v.strictObject({ bytes: count }),
      leaves: v.array(v.strictObject({ bytes: count, count })),
      tables: v.strictObject({ frames: count, bytes: count, bytesPerMappedMiB: v.nullable(v.number()) }),
      work,
      map: v.nullable(ns),
      walk: v.strictObject({
        addresses: count,
        entriesMean: v.nullable(v.number()),
        entriesMax: v.nullable(count),
        ns: v.nullable(ns),
      }),
      checkedTranslations: count,
      leakCheck: v.strictObject({ tables: balance, frames: balance }),
    }),
  ),
  warnings: v.array(text),
});

const timing = v.strictObject({
  median: v.number(),
  min: v.number(),
  max: v.number(),
  mad: v.number(),
  standardError: v.number(),
  samples: count,
  loops: v.picklist(['wasm', 'array', 'c']),
});
const ratio = v.nullable(v.number());

/** The shape of `speed --json`, with no key more and none less than the README documents. */
export const speedShape = v.strictObject({
  command: v.literal('speed'),
  schema: v.literal(4),
  machine,
  compiler: v.nullable(text),
  seed: count,
  pages: count,
  repeat: count,
  warmUp: count,
  warmUpMs: count,
  passes: count,
  quick: v.boolean(),
  rows: v.array(
    v.strictObject({
      configuration: text,
      title: text,
      pageBytes: count,
      levels: count,
      workload: text,
      description: text,
      unit: v.picklist(['page', 'leaf', 'translation', 'operation']),
      units: count,
      leafBytes: count,
      rounds: count,
      warmUp: count,
      warmUpMs: count,
      passes: count,
      wasm: v.nullable(timing),
      array: v.nullable(timing),
      c: v.nullable(timing),
      ratio: v.strictObject({ wasm: ratio, array: ratio }),
      work: v.nullable(
        v.strictObject({
          tablesRead: count,
          entriesRead: count,
          entriesWritten: count,
          tablesAllocated: count,
          tablesZeroed: count,
          bytesWritten: count,
        }),
      ),
      sameResult: v.array(v.picklist(['wasm', 'array', 'c'])),
      checksum: count,
    }),
  ),
  skipped: v.array(v.strictObject({ configuration: text, workload: text, reason: text })),
  comparison: v.nullable(
    v.strictObject({
      file: text,
      rows: v.array(
        v.strictObject({
          configuration: text,
          workload: text,
          variant: v.picklist(['wasm', 'array']),
          measure: v.picklist(['ratio', 'ns']),
          before: v.number(),
          after: v.number(),
          change: v.number(),
          noise: v.number(),
          verdict: v.picklist(['faster', 'slower', 'same']),
        }),
      ),
      unmatched: count,
    }),
  ),
  warnings: v.array(text),
});

/** The shape of `speed --workers --json`, with no key more and none less than the README documents. */
export const workersShape = v.strictObject({
  command: v.literal('speed --workers'),
  schema: v.literal(1),
  machine,
  seed: count,
  workers: count,
  pages: count,
  repeat: count,
  warmUp: count,
  rows: v.array(
    v.strictObject({
      configuration: text,
      title: text,
      pageBytes: count,
      work: v.picklist(['apart', 'private', 'sparse', 'neighbours']),
      roundPages: count,
      one: ns,
      all: ns,
      scaling: v.number(),
    }),
  ),
  warnings: v.array(text),
});

/** The shape of `workload --json`, with no key more and none less than the README documents. */
export const workloadShape = v.strictObject({
  command: v.literal('workload'),
  schema: v.literal(1),
  machine,
  parameters: v.strictObject({
    sequentialTestOrder: v.boolean(),
    testRepeatCount: count,
    testLoopCount: count,
    nrPages: count,
    useHuge: v.boolean(),
    nrPcpuObjects: count,
    seed: count,
    release: v.picklist(['6.12', '2026']),
    cpus: count,
  }),
  rows: v.array(
    v.strictObject({
      configuration: text,
      title: text,
      pageBytes: count,
      case: text,
      passed: count,
      failed: count,
      xfailed: count,
      repeat: count,
      loops: count,
      avgUsec: count,
      operations: count,
      operationsPerSecond: count,
      work: v.strictObject({ tablesRead: count, entriesWritten: count, flushes: count, purges: count }),
      lazyPages: count,
      leakCheck: v.strictObject({ tables: balance, pages: v.strictObject({ before: count, after: count }) }),
    }),
  ),
  workers: v.array(v.strictObject({ configuration: text, worker: count, ns: count })),
  warnings: v.array(text),
});
