import { type BundleModel, F2iError, Picture, type Rows, readModel } from '@fmri2image/core';
import { browserCodec } from './codec.ts';
import { Engine, type OpenOptions } from './engine.ts';
import { stagesOf } from './features.ts';
import { fetchFiles } from './fetch.ts';
import {
  dataFolder,
  folderOfFiles,
  MODEL,
  type NamedFile,
  nameOf,
  STUDY,
  setName,
  sortFiles,
  sourceOf,
  WEIGHTS,
  weightsOf,
} from './files.ts';
import { checkMatch } from './match.ts';
import { readResponses } from './matrix.ts';
import { note, noticeOf } from './notice.ts';
import { Outcomes } from './outcomes.ts';
import { REFERENCE_LIMIT_BYTES } from './reference.ts';
import { type Opened, prepare, type Responses } from './responses.ts';
import { rowOf, Scorer } from './scores.ts';
import {
  type BackendChoice,
  type BundleFacts,
  canResume,
  canStart,
  type Event,
  initialState,
  needsSubject,
  type Opening,
  reduce,
  remaining,
  type State,
} from './state.ts';
import { readStudy } from './study.ts';
import { ofSubject, subjectFor, subjectsOf, voxelsOf } from './subjects.ts';
import { findWebGpu, missingFor } from './webgpu.ts';

const DEMO_FILES = ['study.json', 'trials.tsv', 'betas.npy', 'pictures.npy', 'mean-training-picture.npy'];

/** Of a published model: how far it goes, and whose layer is used. */
type Part = Pick<OpenOptions, 'stage' | 'subject'>;

/** Does what the person asks for, and tells the state machine what came of it. Files and decoders live here. */
export class App {
  state: State = initialState;
  /** The bundle's files, kept to open it again after its device was lost. */
  #files: readonly NamedFile[] = [];
  #opened: Opened | undefined;
  #responses: Responses | undefined;
  #engine: Engine | undefined;
  readonly #outcomes = new Outcomes();
  #opening: AbortController | undefined;
  #running: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;

  constructor(private readonly changed: (state: State) => void) {}

  #dispatch(event: Event): void {
    this.state = reduce(this.state, event);
    this.changed(this.state);
  }

  async begin(query: URLSearchParams): Promise<void> {
    this.#dispatch({ type: 'device', device: await findWebGpu() });
    const bundle = query.get('bundle');
    const responses = query.get('responses');
    if (bundle) await this.openAddress(bundle);
    if (responses) await this.openAddressOfResponses(responses);
  }

  // What is open

  async openFiles(files: readonly NamedFile[]): Promise<void> {
    if (files.length === 0) return;
    this.#dispatch({ type: 'dismissAll' });
    const sorted = sortFiles(files);
    if (sorted.bundle.length > 0)
      await this.#openBundle(sorted.bundle, setName(sorted.bundle, 'Chosen bundle'));
    if (sorted.study.length > 0) {
      const name = setName(
        files.filter(({ path }) => nameOf(path) === STUDY),
        'Chosen study',
      );
      await this.#openResponses(name, (signal) => {
        const data = dataFolder(sorted.data);
        return readStudy(folderOfFiles(sorted.study, name), signal, { data, codec: browserCodec });
      });
    } else if (sorted.responses.length > 0) {
      const { bundle, subject } = this.state;
      const wanted = bundle ? voxelsOf(bundle.model, subject) : [];
      await this.#openResponses(sorted.responses.map(({ path }) => nameOf(path)).join(', '), (signal) =>
        readResponses(sorted.responses.map(sourceOf), wanted, signal),
      );
    }
  }

  async openAddress(address: string): Promise<void> {
    const opening = { what: 'bundle', name: address } as const;
    const model = await this.#fetch(opening, address, [MODEL]);
    const weights = model && (await this.#fetch(opening, address, await weightsOf(model[0]!)));
    if (weights) await this.#openBundle([...model, ...weights], address);
  }

  async openAddressOfResponses(address: string): Promise<void> {
    const at = address.lastIndexOf('/') + 1;
    const opening = { what: 'responses', name: address } as const;
    const files = await this.#fetch(opening, address.slice(0, at) || '.', [address.slice(at)]);
    if (files) await this.openFiles(files);
  }

  /** A simulated person: bundle, responses and pictures lie beside the page. */
  async openDemo(): Promise<void> {
    this.#dispatch({ type: 'dismissAll' });
    const opening = { what: 'demo', name: 'the demo' } as const;
    const bundle = await this.#fetch(opening, 'demo/bundle', [MODEL, WEIGHTS]);
    const study = bundle && (await this.#fetch(opening, 'demo/responses', DEMO_FILES));
    if (!study) return;
    await this.#openBundle(bundle, 'Demo decoder');
    await this.#openResponses('the demo', (signal) => readStudy(folderOfFiles(study, 'demo'), signal));
    if (canStart(this.state)) await this.start(this.state.responses!.trials.length);
  }

  cancelOpening(): void {
    this.#opening?.abort();
  }

  async choose(backend: BackendChoice): Promise<void> {
    this.#dispatch({ type: 'choose', backend });
    if (this.state.phase === 'lost') await this.resume();
    else if (this.state.bundle && !needsSubject(this.state)) await this.#openDecoder();
  }

  /** How far a model of several stages goes: its decoder is opened again. */
  async chooseStage(stage: string): Promise<void> {
    await this.#stop();
    this.#outcomes.clear();
    this.#dispatch({ type: 'stage', stage });
    await this.#replaceDecoder();
  }

  /** Whose layer of a model of several subjects is used: responses that are not this subject's are put aside. */
  async chooseSubject(subject: number): Promise<void> {
    await this.#stop();
    this.#dispatch({ type: 'dismissAll' });
    this.#takeSubject(subject);
    await this.#prepareAgain();
    await this.#replaceDecoder();
  }

  #takeSubject(subject: number): void {
    this.#outcomes.clear();
    this.#dispatch({ type: 'subject', subject, model: ofSubject(this.state.bundle!.model, subject) });
  }

  /** Two models at once may be more than the device holds: the one before goes first. */
  async #replaceDecoder(): Promise<void> {
    const before = this.#engine;
    this.#engine = undefined;
    await before?.close();
    if (!needsSubject(this.state)) await this.#openDecoder();
  }

  dismiss(id: number): void {
    this.#dispatch({ type: 'dismiss', id });
  }

  /** Runs one opening at a time; what goes wrong is told, and all that was there stays. */
  async #open<T>(opening: Opening, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    this.#opening?.abort();
    const abort = new AbortController();
    this.#opening = abort;
    this.#dispatch({ type: 'opening', opening });
    try {
      return await work(abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) this.#tell(`${opening.name} was not opened`, error);
      return undefined;
    } finally {
      if (this.#opening === abort) {
        this.#opening = undefined;
        this.#dispatch({ type: 'settled' });
      }
    }
  }

  #fetch(opening: Opening, base: string, paths: readonly string[]): Promise<NamedFile[] | undefined> {
    return this.#open(opening, (signal) =>
      fetchFiles(base, paths, {
        signal,
        onProgress: (done, total) =>
          this.#dispatch({
            type: 'opening',
            opening: { ...opening, progress: { phase: 'fetch', done, total } },
          }),
      }),
    );
  }

  /** What was open is replaced while the page still says that it is opening: nothing can start in between. */
  async #openBundle(files: readonly NamedFile[], name: string): Promise<void> {
    const several = await this.#open({ what: 'bundle', name }, async (signal) => {
      const model = await modelOf(files, name, signal);
      if (subjectsOf(model).length > 0) {
        // Which of its layers are loaded is said by the responses, or by the person.
        await this.#takeModel(files, name, signal);
        return true;
      }
      const engine = this.#usesMissingDevice() ? undefined : await this.#openEngine(files, name, {}, signal);
      if (engine) await this.#take(engine, files, name, signal);
      else if (this.#usesMissingDevice()) await this.#takeModel(files, name, signal);
      return false;
    });
    if (several && this.state.subject !== undefined && !this.#usesMissingDevice()) await this.#openDecoder();
  }

  #usesMissingDevice(): boolean {
    return this.state.device.kind === 'missing' && this.state.backend === 'webgpu';
  }

  /** Before it has a device, the bundle is described by its verified `model.json`: the person may choose the reference backend or the subject for it. */
  async #takeModel(files: readonly NamedFile[], name: string, signal: AbortSignal): Promise<void> {
    const bytes = files.reduce((sum, { blob }) => sum + blob.size, 0);
    if (this.#usesMissingDevice() && bytes > REFERENCE_LIMIT_BYTES) {
      throw new F2iError('UNSUPPORTED', 'without WebGPU this bundle is too large to be used here', {
        file: name,
        expected: `at most ${REFERENCE_LIMIT_BYTES / 1e6} MB for the reference backend`,
        found: `${(bytes / 1e6).toFixed(1)} MB`,
      });
    }
    const model = await modelOf(files, name, signal);
    await this.#stop();
    const before = this.#engine;
    this.#engine = undefined;
    await before?.close();
    this.#files = files;
    this.#dispatch({ type: 'bundle', bundle: { name, model }, stage: stagesOf(model)[0] });
    await this.#prepareAgain();
  }

  async #take(engine: Engine, files: readonly NamedFile[], name: string, signal: AbortSignal): Promise<void> {
    const { model } = engine.decoder;
    try {
      signal.throwIfAborted();
    } catch (error) {
      await engine.close();
      throw error;
    }
    await this.#stop();
    await this.#engine?.close();
    this.#files = files;
    this.#dispatch({ type: 'bundle', bundle: { name, model }, stage: stagesOf(model)[0] });
    this.#watch(engine);
    await this.#prepareAgain();
  }

  /** The open bundle on the chosen backend. */
  async #openDecoder(): Promise<boolean> {
    const { name } = this.state.bundle!;
    const opened = await this.#open({ what: 'bundle', name }, async (signal) => {
      const { stage, subject } = this.state;
      const engine = await this.#openEngine(this.#files, name, { stage, subject }, signal);
      if (!engine) return false;
      await this.#engine?.close();
      this.#watch(engine);
      return true;
    });
    return opened === true;
  }

  /** A worker may find no device although the page did, or find none any more: then the page says so. */
  #openEngine(
    files: readonly NamedFile[],
    name: string,
    part: Part,
    signal: AbortSignal,
  ): Promise<Engine | undefined> {
    return this.#load(files, name, part, signal).catch((error: unknown) => {
      if (!(error instanceof F2iError && error.code === 'UNSUPPORTED' && error.backend === 'webgpu'))
        throw error;
      this.#dispatch({ type: 'device', device: missingFor(error) });
      return undefined;
    });
  }

  #load(files: readonly NamedFile[], name: string, part: Part, signal: AbortSignal): Promise<Engine> {
    return Engine.open(files, {
      device: this.state.backend,
      ...part,
      signal,
      onProgress: (progress) => {
        if (signal.aborted) return;
        this.#dispatch({ type: 'opening', opening: { what: 'bundle', name, progress } });
      },
    });
  }

  /** From here on this is the page's decoder; its end by itself is told. */
  #watch(engine: Engine): void {
    this.#engine = engine;
    const { backend, warnings, output } = engine.decoder;
    this.#dispatch({ type: 'decoder', decoder: { device: backend.info.description, output, warnings } });
    void engine.decoder.lost.then((error) => {
      if (engine.closed || this.#engine !== engine) return;
      this.#engine = undefined;
      this.#dispatch({ type: 'lost' });
      const what = error.code === 'WORKER_LOST' ? 'The worker has ended' : 'The GPU device was lost';
      this.#tell(`${what}. Nothing is lost: choose Continue`, error);
      void engine.close();
    });
  }

  async #openResponses(name: string, read: (signal: AbortSignal) => Promise<Opened>): Promise<void> {
    const { bundle } = this.state;
    const changed = await this.#open({ what: 'responses', name }, async (signal) => {
      const opened = await read(signal);
      const responses = prepare(opened, bundle?.model);
      const subject = bundle && (await this.#matchOf(opened, responses, bundle));
      signal.throwIfAborted();
      await this.#stop();
      this.#opened = opened;
      const other = subject !== undefined && subject !== this.state.subject;
      if (other) this.#takeSubject(subject);
      this.#takeResponses(responses);
      return other;
    });
    if (changed && !this.#usesMissingDevice()) await this.#replaceDecoder();
  }

  /**
   * Checks that responses are for a bundle.
   *
   * @returns of several subjects the one that they are of; nothing where that is left to the person
   */
  async #matchOf(
    opened: Opened,
    responses: Responses,
    { model, name }: BundleFacts,
  ): Promise<number | undefined> {
    const { subject: chosen } = this.state;
    if (subjectsOf(model).length === 0) {
      await checkMatch(opened, responses, model, name);
      return undefined;
    }
    const names = { responses: responses.name, bundle: name };
    const subject = subjectFor(model, responses.betas.shape[1]!, chosen, names);
    if (subject !== undefined) await checkMatch(opened, responses, ofSubject(model, subject), name);
    return subject;
  }

  /**
   * Another bundle may ask for another preparation of the same responses. Where they are not for it, they are put aside:
   * opening a bundle that they are for brings them back.
   */
  async #prepareAgain(): Promise<void> {
    const { bundle } = this.state;
    if (!this.#opened || !bundle) return;
    this.#dispatch({ type: 'responses', responses: undefined });
    try {
      const responses = prepare(this.#opened, bundle.model);
      if (this.state.subject !== undefined)
        await checkMatch(this.#opened, responses, bundle.model, bundle.name);
      else {
        const subject = await this.#matchOf(this.#opened, responses, bundle);
        if (subject !== undefined) this.#takeSubject(subject);
      }
      this.#takeResponses(responses);
    } catch (error) {
      this.#tell('The responses that were open are not for this decoder', error);
    }
  }

  #takeResponses(responses: Responses): void {
    this.#responses = responses;
    this.#outcomes.clear();
    const { name, betas, trials, labels, truth, simulated, notes } = responses;
    this.#dispatch({
      type: 'responses',
      responses: {
        name,
        voxels: betas.shape[1]!,
        trials,
        labels,
        hasStimuli: truth !== undefined,
        simulated,
        notes,
      },
    });
  }

  // What runs

  /** Reconstructs the first so many trials. */
  async start(count: number): Promise<void> {
    if (!canStart(this.state)) return;
    this.#outcomes.clear();
    this.#dispatch({ type: 'start', trials: this.state.responses!.trials.slice(0, count) });
    await this.#compute();
  }

  cancel(): void {
    this.#running?.abort.abort();
  }

  /** Makes the pictures that are missing; after a lost device, on another one. */
  async resume(): Promise<void> {
    if (!canResume(this.state)) return;
    this.#dispatch({ type: 'dismissAll' });
    if (this.state.phase === 'lost' && !(await this.#openDecoder())) return;
    this.#dispatch({ type: 'resume' });
    if (this.#isRunning()) await this.#compute();
  }

  #isRunning(): boolean {
    return this.state.phase === 'running';
  }

  async #stop(): Promise<void> {
    this.cancel();
    await this.#running?.ended;
  }

  #compute(): Promise<void> {
    const abort = new AbortController();
    const ended = this.#run(this.#engine!, abort.signal).finally(() => {
      if (this.#running?.abort === abort) this.#running = undefined;
    });
    this.#running = { abort, ended };
    return ended;
  }

  async #run({ decoder }: Engine, signal: AbortSignal): Promise<void> {
    const { run, wanted } = this.state;
    const { betas, runs, truth } = this.#responses!;
    const scorer = truth && new Scorer(truth, wanted);
    let since = performance.now();
    const lap = () => {
      const milliseconds = performance.now() - since;
      this.#dispatch({ type: 'elapsed', run, milliseconds });
    };
    try {
      for await (const reconstruction of decoder.reconstruct(betas as Rows, {
        trials: remaining(this.state),
        runs,
        signal,
      })) {
        lap();
        const { trial, image, label } = reconstruction;
        this.#outcomes.add(reconstruction, this.state.stage);
        this.#dispatch({
          type: 'picture',
          run,
          picture: { trial, score: image && scorer?.score(trial, image.data), decoded: label?.name },
        });
        await nextFrame();
        since = performance.now();
        // Another run may have begun meanwhile.
        if (this.state.run !== run || !this.#isRunning()) return;
      }
      this.#dispatch({ type: 'end', run, how: 'done' });
    } catch (error) {
      lap();
      if (signal.aborted) this.#dispatch({ type: 'end', run, how: 'cancelled' });
      else if (!(error instanceof F2iError && ['DEVICE_LOST', 'WORKER_LOST'].includes(error.code))) {
        this.#dispatch({ type: 'end', run, how: 'failed' });
        this.#tell('The reconstruction stopped', error);
      }
    }
  }

  // What is shown and saved

  stimulus(trial: number): Picture | undefined {
    const { truth } = this.#responses ?? {};
    if (!truth) return undefined;
    const { data, shape } = rowOf(truth.pictures, truth.stimulusOf[trial]!);
    return new Picture(data, shape.slice(1), [0, 1]);
  }

  reconstruction(trial: number): Picture | undefined {
    return this.#outcomes.picture(trial);
  }

  save(trial: number): void {
    this.#outcomes.save(trial, this.state.responses?.labels[trial] ?? '');
  }

  saveAll(): void {
    this.#outcomes.saveAll(this.state);
  }

  /** Tensors and bytes on the device. */
  stats() {
    return this.#engine?.decoder.stats();
  }

  /** Frees the device; for a page that goes away. */
  async close(): Promise<void> {
    await this.#stop();
    await this.#engine?.close();
  }

  #tell(title: string, error: unknown): void {
    this.#dispatch({ type: 'notice', notice: noticeOf(title, error) });
  }

  say(title: string, message: string): void {
    this.#dispatch({ type: 'notice', notice: note(title, message) });
  }
}

/** The verified description of a bundle. */
function modelOf(files: readonly NamedFile[], name: string, signal: AbortSignal): Promise<BundleModel> {
  const flat = files.map(({ path, blob }) => ({ path: nameOf(path), blob }));
  return readModel(folderOfFiles(flat, name), signal);
}

/** Lets the browser paint; a hidden page has no frames to wait for. */
function nextFrame(): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, 50);
    requestAnimationFrame(() => {
      clearTimeout(late);
      resolve();
    });
  });
}
