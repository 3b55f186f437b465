/** What this backend declares that it cannot do, in the words of the conformance runner. */
export const unsupported: Readonly<Record<string, string>> = {
  '*/f64': 'WGSL has no 64-bit floats',
  'cast/*to f64': 'WGSL has no 64-bit floats',
};
