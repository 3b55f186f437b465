/** What the native core cannot do on the CPU or a GPU, in the words of the conformance runner: nothing. */
export const unsupported: Readonly<Record<string, string>> = {};
