/** What this backend declares that it cannot do, in the words of the conformance runner: nothing. */
export const unsupported: Readonly<Record<string, string>> = {};
