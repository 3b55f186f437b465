export type { Extent, HrfCurve, ReceptiveFields, RetinotopicMaps, VisualExtent } from './fields.ts';
export { hasReceptiveFields } from './fields.ts';
