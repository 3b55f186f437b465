export {
  type NoiseDraws,
  type NoiseStream,
  type Recorded,
  type RecordedNoise,
  recordedItem,
  recordedNoise,
  seededNoise,
} from './noise.ts';
export { Prior, type PriorCondition, type PriorOptions, priorActivations } from './prior.ts';
export { drawPrior, type SamplePriorOptions, type SamplingStep, samplePrior } from './sample.ts';
export { cosineSchedule, type NoiseSchedule, SCHEDULE_TABLES, type ScheduleTable } from './schedule.ts';
export { ddimSteps, ddimTimes, ddpmSteps, priorSteps, type SamplerStep } from './steps.ts';
