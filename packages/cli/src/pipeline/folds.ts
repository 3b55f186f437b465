import {
  type Decoder,
  type FittedStep,
  type HrfCurve,
  hasReceptiveFields,
  type Json,
  type ReceptiveFields,
} from '@fmri2image/core';
import { z } from 'zod';

/** How the decoder of some reconstructions came about: what reports, controls and ledgers need of it. */
export interface FoldRecord {
  /** What was held out (`ResultItem.heldOut`); undefined where one decoder made all reconstructions. */
  readonly heldOut?: string | undefined;
  /** Kind of decoder: `ridge`. */
  readonly decoder: string;
  readonly voxels: number;
  /** How these were selected, for people. */
  readonly selection?: string | undefined;
  readonly preprocess: readonly { readonly name: string; readonly settings: Json }[];
  /** What it was trained on, as `trainingRecord` says it. */
  readonly training?: Json | undefined;
  /** Settings of the decoder, and what its fit said of itself: as in a bundle. */
  readonly config: { readonly [key: string]: Json };
  readonly report: { readonly [key: string]: Json };
  readonly ledger: readonly FittedStep[];
  readonly maps?: FittedMaps | undefined;
}

/** Receptive fields and response of a retinotopic decoder. */
export interface FittedMaps {
  readonly fields: ReceptiveFields;
  readonly hrf: HrfCurve;
}

/** Describes a fitted or opened decoder. */
export function foldRecord(
  decoder: Decoder,
  { heldOut, training }: { heldOut?: string; training?: Json | undefined },
): FoldRecord {
  const { kind, input, config, report, ledger } = decoder.toBundle();
  return {
    heldOut,
    decoder: kind,
    voxels: input.voxels,
    selection: input.selection,
    preprocess: input.preprocess ?? [],
    training: training ?? report.training,
    config,
    report,
    ledger,
    maps: hasReceptiveFields(decoder) ? { fields: decoder.receptiveFields(), hrf: decoder.hrf } : undefined,
  };
}

const numbers = z.array(z.number());
const free = z.record(z.string(), z.json());

/** A fold as reconstructions.json has it; the fields of its voxels are lines of receptive-fields.tsv. */
export const foldSchema = z.strictObject({
  heldOut: z.string().optional(),
  decoder: z.string(),
  voxels: z.int().positive(),
  selection: z.string().optional(),
  preprocess: z.array(z.strictObject({ name: z.string(), settings: z.json() })),
  training: z.json().optional(),
  config: free,
  report: free,
  ledger: z.array(
    z.strictObject({
      step: z.string(),
      runs: z.array(z.string()),
      sawTest: z.enum(['yes', 'no', 'unknown']),
      note: z.string().optional(),
    }),
  ),
  maps: z
    .strictObject({
      unit: z.enum(['degrees', 'pixels']),
      extent: z.strictObject({ left: z.number(), right: z.number(), top: z.number(), bottom: z.number() }),
      hrf: z.strictObject({ times: numbers, values: numbers }),
    })
    .optional(),
});
export type FoldJson = z.infer<typeof foldSchema>;

export function foldToJson({ maps, ...fold }: FoldRecord): FoldJson {
  const json = {
    ...fold,
    preprocess: fold.preprocess.map((step) => ({ ...step })),
    ledger: fold.ledger.map((step) => ({ ...step, runs: [...step.runs] })),
    maps: maps && {
      unit: maps.fields.unit,
      extent: { ...maps.fields.extent },
      hrf: { times: [...maps.hrf.times], values: [...maps.hrf.values] },
    },
  };
  return json as FoldJson;
}
