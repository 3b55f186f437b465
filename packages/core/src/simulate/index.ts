export { type Amplitudes, type NoiseCeiling, noiseCeiling, oracleAmplitudes } from './amplitudes.ts';
export type { Presentation, Run } from './experiment.ts';
export { mindeye2Checkpoint } from './mindeye2.ts';
export { oracleReconstruction } from './oracle.ts';
export { CATEGORIES, type Category, type Pictures } from './pictures.ts';
export { type Population, type PopulationOptions, simulatePopulation } from './population.ts';
export { type SharedModel, type SharedModelSubject, trainSharedModel } from './sharedModel.ts';
export { DEMO_SIMULATION, type Simulation, type SimulationOptions, simulate } from './simulation.ts';
