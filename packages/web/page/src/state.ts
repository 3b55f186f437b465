import type { BundleModel, DecoderOutput } from '@fmri2image/core';
import type { Notice } from './notice.ts';
import { subjectsOf } from './subjects.ts';

/**
 * What the page knows, as plain values, and how events change it. Files, decoders and pictures' pixels live elsewhere
 * (app.ts); nothing here touches the document, so every path through the page is a unit test.
 *
 *   idle -> loaded -> running -> done | cancelled | failed | lost;  lost, cancelled or failed -> running again (Continue)
 */
export type Phase = 'idle' | 'loaded' | 'running' | 'done' | 'cancelled' | 'failed' | 'lost';

export type Device =
  | { readonly kind: 'checking' }
  | { readonly kind: 'webgpu' }
  | { readonly kind: 'missing'; readonly reason: string; readonly advice: readonly string[] };

/** The backends that a person can choose here. */
export type BackendChoice = 'webgpu' | 'reference';

export interface BundleFacts {
  readonly name: string;
  readonly model: BundleModel;
}

/** The decoder is on its device. */
export interface DecoderFacts {
  /** For people: `WebGPU, SwiftShader (google, in software)`. */
  readonly device: string;
  /** What it makes at the stage that was chosen. */
  readonly output: DecoderOutput;
  readonly warnings: readonly string[];
}

export interface ResponsesFacts {
  readonly name: string;
  readonly voxels: number;
  /** Rows that can be reconstructed, in order. */
  readonly trials: readonly number[];
  /** Of each row, for people. */
  readonly labels: readonly string[];
  readonly hasStimuli: boolean;
  /** Made by the simulator: not a person. */
  readonly simulated: boolean;
  readonly notes: readonly string[];
}

/** Scores of one picture against what was shown. */
export interface PictureScore {
  /** Pearson correlation with the stimulus. */
  readonly correlation: number;
  /** Mean correlation with the other stimuli: what a mismatched pair scores. */
  readonly chance: number;
  /** Fraction of the other stimuli that resemble the reconstruction less. */
  readonly twoWay: number;
  /** Correlation of the mean training picture with the stimulus, where that picture is known. */
  readonly meanPicture: number | undefined;
}

export interface PictureFacts {
  readonly trial: number;
  readonly score: PictureScore | undefined;
  /** The label that was decoded, where the decoder gives labels. */
  readonly decoded?: string | undefined;
}

export interface Opening {
  readonly what: 'bundle' | 'responses' | 'demo';
  readonly name: string;
  /** `read`, `verify`, `upload`, with bytes. */
  readonly progress?: { readonly phase: string; readonly done: number; readonly total: number } | undefined;
}

export interface State {
  readonly phase: Phase;
  readonly device: Device;
  readonly backend: BackendChoice;
  readonly opening: Opening | undefined;
  readonly bundle: BundleFacts | undefined;
  /** How far a model of several stages goes; its first one by default. */
  readonly stage: string | undefined;
  /** Whose layer of a model of several subjects is used: chosen by the person, or by what the responses fit. */
  readonly subject: number | undefined;
  readonly decoder: DecoderFacts | undefined;
  readonly responses: ResponsesFacts | undefined;
  /** Counts runs: events of an earlier one change nothing. */
  readonly run: number;
  /** Rows of the current run, and those that are done. */
  readonly wanted: readonly number[];
  readonly pictures: readonly PictureFacts[];
  /** Milliseconds that the run has computed, without pauses. */
  readonly elapsed: number;
  readonly notices: readonly Notice[];
}

export type Event =
  | { readonly type: 'device'; readonly device: Device }
  | { readonly type: 'choose'; readonly backend: BackendChoice }
  | { readonly type: 'stage'; readonly stage: string }
  /** With the description of that subject's decoder. */
  | { readonly type: 'subject'; readonly subject: number; readonly model: BundleModel }
  | { readonly type: 'opening'; readonly opening: Opening }
  | { readonly type: 'bundle'; readonly bundle: BundleFacts; readonly stage?: string | undefined }
  | { readonly type: 'decoder'; readonly decoder: DecoderFacts }
  /** Without responses: those that were open are not for the bundle, or not yet prepared for it. */
  | { readonly type: 'responses'; readonly responses: ResponsesFacts | undefined }
  | { readonly type: 'settled' }
  | { readonly type: 'notice'; readonly notice: Notice }
  | { readonly type: 'dismiss'; readonly id: number }
  | { readonly type: 'dismissAll' }
  | { readonly type: 'start'; readonly trials: readonly number[] }
  | { readonly type: 'picture'; readonly run: number; readonly picture: PictureFacts }
  | { readonly type: 'elapsed'; readonly run: number; readonly milliseconds: number }
  | { readonly type: 'end'; readonly run: number; readonly how: 'done' | 'cancelled' | 'failed' }
  | { readonly type: 'lost' }
  | { readonly type: 'resume' };

export const initialState: State = {
  phase: 'idle',
  device: { kind: 'checking' },
  backend: 'webgpu',
  opening: undefined,
  bundle: undefined,
  stage: undefined,
  subject: undefined,
  decoder: undefined,
  responses: undefined,
  run: 0,
  wanted: [],
  pictures: [],
  elapsed: 0,
  notices: [],
};

const noRun = { wanted: [], pictures: [], elapsed: 0 } as const;

export function reduce(state: State, event: Event): State {
  switch (event.type) {
    case 'device':
      return { ...state, device: event.device };
    case 'choose':
      return { ...state, backend: event.backend, decoder: undefined };
    case 'stage':
      // Another stage makes something else: what was made goes.
      return settle({ ...state, ...noRun, stage: event.stage, decoder: undefined, run: state.run + 1 });
    case 'subject':
      // Nor are pictures of another subject's layer those of this one.
      return settle({
        ...state,
        ...noRun,
        subject: event.subject,
        bundle: state.bundle && { ...state.bundle, model: event.model },
        decoder: undefined,
        run: state.run + 1,
      });
    case 'opening':
      return { ...state, opening: event.opening };
    case 'settled':
      return { ...state, opening: undefined };
    case 'bundle':
      // Another decoder makes other pictures: those of the run before are gone with it.
      return settle({
        ...state,
        ...noRun,
        bundle: event.bundle,
        stage: event.stage,
        subject: undefined,
        decoder: undefined,
        run: state.run + 1,
      });
    case 'decoder':
      return { ...state, decoder: event.decoder };
    case 'responses': {
      const next = { ...state, ...noRun, responses: event.responses, run: state.run + 1 };
      // A lost device stays lost, whatever is opened for it.
      return state.phase === 'lost' ? next : settle(next);
    }
    case 'notice':
      return { ...state, notices: [...state.notices, event.notice] };
    case 'dismiss':
      return { ...state, notices: state.notices.filter(({ id }) => id !== event.id) };
    case 'dismissAll':
      return state.notices.length > 0 ? { ...state, notices: [] } : state;
    case 'start':
      if (!canStart(state)) return state;
      return {
        ...state,
        ...noRun,
        phase: 'running',
        run: state.run + 1,
        wanted: event.trials,
        notices: [],
      };
    case 'picture':
      if (!isCurrent(state, event.run)) return state;
      return { ...state, pictures: [...state.pictures, event.picture] };
    case 'elapsed':
      if (event.run !== state.run) return state;
      return { ...state, elapsed: state.elapsed + event.milliseconds };
    case 'end':
      return isCurrent(state, event.run) ? { ...state, phase: event.how } : state;
    case 'lost':
      // The pictures that are done stay; what runs on the lost device has ended.
      return { ...state, phase: 'lost', decoder: undefined, opening: undefined };
    case 'resume':
      if (!canResume(state)) return state;
      if (remaining(state).length > 0) return { ...state, phase: 'running', run: state.run + 1 };
      return settle(state, state.pictures.length > 0 ? 'done' : 'loaded');
  }
}

const isCurrent = (state: State, run: number) => state.phase === 'running' && run === state.run;

/** The phase of a page on which nothing runs. */
function settle(state: State, phase: Phase = 'loaded'): State {
  return { ...state, phase: state.bundle && state.responses ? phase : 'idle' };
}

/** The model is of several subjects, and nothing says yet which one's responses it is to decode. */
export function needsSubject({ bundle, subject }: State): boolean {
  return bundle !== undefined && subject === undefined && subjectsOf(bundle.model).length > 0;
}

/** What comes of a trial: pictures have a number, features are of so many trials. */
export function unitOf({ bundle, decoder }: State): 'picture' | 'trial' {
  return ((decoder?.output ?? bundle?.model.output)?.kind ?? 'picture') === 'picture' ? 'picture' : 'trial';
}

/** Why the responses are not for the bundle, if they are not. */
export function mismatch(state: State): { expected: number; found: number } | undefined {
  const { bundle, responses } = state;
  if (!bundle || !responses || needsSubject(state)) return undefined;
  const expected = bundle.model.input.voxels;
  return responses.voxels === expected ? undefined : { expected, found: responses.voxels };
}

/** Everything is there, and nothing runs. */
export function canStart(state: State): boolean {
  const still = ['loaded', 'done', 'cancelled', 'failed'].includes(state.phase);
  return (
    still &&
    state.decoder !== undefined &&
    state.responses !== undefined &&
    !state.opening &&
    !mismatch(state)
  );
}

/** A run was left in the middle, or its device was lost: what is done stays, the rest can be made. */
export function canResume(state: State): boolean {
  if (state.phase === 'lost') return true;
  const left = state.phase === 'cancelled' || state.phase === 'failed';
  return left && canStart(state) && remaining(state).length > 0;
}

/** Rows of the run that have no picture yet. */
export function remaining({ wanted, pictures }: State): number[] {
  const done = new Set(pictures.map(({ trial }) => trial));
  return wanted.filter((trial) => !done.has(trial));
}

export interface ScoreSummary {
  readonly scored: number;
  readonly correlation: number;
  readonly chance: number;
  readonly twoWay: number;
  readonly meanPicture: number | undefined;
}

/** Means over the pictures so far that have a score. */
export function summary({ pictures }: State): ScoreSummary | undefined {
  const scores = pictures.flatMap(({ score }) => score ?? []);
  if (scores.length === 0) return undefined;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const controls = scores.flatMap(({ meanPicture }) => meanPicture ?? []);
  return {
    scored: scores.length,
    correlation: mean(scores.map((score) => score.correlation)),
    chance: mean(scores.map((score) => score.chance)),
    twoWay: mean(scores.map((score) => score.twoWay)),
    meanPicture: controls.length === scores.length ? mean(controls) : undefined,
  };
}
