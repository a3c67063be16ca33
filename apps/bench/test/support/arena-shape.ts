import * as v from 'valibot';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const text = v.pipe(v.string(), v.minLength(1));
const spread = v.nullable(
  v.strictObject({ median: v.number(), min: v.number(), max: v.number(), mad: v.number() }),
);
const balance = v.strictObject({ before: count, after: count });

/** The shape of `arena --json`, with no key more and none less than the README documents. */
export const arenaShape = v.strictObject({
  command: v.literal('arena'),
  schema: v.literal(1),
  machine: v.strictObject({ cpu: text, cores: count, node: text, platform: text }),
  seed: count,
  repeat: count,
  warmUp: count,
  warmUpMs: count,
  quick: v.boolean(),
  formats: v.array(
    v.strictObject({
      configuration: text,
      title: text,
      pageBytes: count,
      rows: v.array(
        v.strictObject({
          measure: text,
          unit: v.picklist(['page', 'access']),
          pagesPerCall: count,
          units: count,
          ns: spread,
          beyondZeroing: spread,
        }),
      ),
      sparse: v.strictObject({
        every: count,
        pages: count,
        preparedBytes: count,
        neededBytes: count,
        processBytes: count,
      }),
      programs: v.array(
        v.strictObject({ program: text, elements: count, instructions: count, millions: spread }),
      ),
      leakCheck: v.strictObject({ tables: balance, pages: balance }),
    }),
  ),
  warnings: v.array(text),
});
