export { type AlignOptions, fitSubjectLayer, type NewSubject, type SubjectLayer } from './fitLayer.ts';
export { averageByStimulus, type ByStimulus, subjectLatents, type Teacher } from './latents.ts';
export { type Lineage, type SaveAlignedOptions, saveAligned } from './save.ts';
export { latentsFromFeatures, sharedLatents } from './targets.ts';
