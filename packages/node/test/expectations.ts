const NO_KERNEL_YET = 'no kernel yet';

/** What this backend declares that it cannot do, in the words of the conformance runner. */
export const unsupported: Readonly<Record<string, string>> = {
  adaptive_max_pool1d: NO_KERNEL_YET,
  random_normal: NO_KERNEL_YET,
  resize2d: NO_KERNEL_YET,
};
