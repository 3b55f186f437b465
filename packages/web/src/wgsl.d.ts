/** Shaders are authored as files and compiled into the bundle as strings: nothing is fetched at run time. */
declare module '*.wgsl' {
  const source: string;
  export default source;
}
