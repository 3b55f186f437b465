// A chunk of its own, larger than all the rest together: loaded when the first such file is opened.
export { default } from './hdf5.worker.ts?worker&inline';
