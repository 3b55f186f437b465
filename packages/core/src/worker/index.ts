export { loadInWorker, type WorkerLoadOptions } from './client.ts';
export { type ErrorMessage, errorFromMessage, errorToMessage } from './errors.ts';
export type { EmitterPort, EventTargetPort, WorkerLike } from './port.ts';
export { type LoadInWorker, serveDecoders } from './server.ts';
