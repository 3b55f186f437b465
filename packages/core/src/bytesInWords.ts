/** `0.8 kB`, `38.6 MB`, `4.24 GB`: powers of ten, as all sizes are printed. */
export function bytesInWords(bytes: number): string {
  if (bytes < 1e5) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
