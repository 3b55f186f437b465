/** Tests run on the sources of all workspace packages, not on their builds. */
const conditions = ['f2i-source', 'module', 'import', 'default'];

export const shared = { resolve: { conditions }, ssr: { resolve: { conditions } } };
