import { describe, expect, it } from 'vitest';
import { bootstrapInterval, createRandom } from '../../src/index.ts';

describe('bootstrapInterval over stimuli', () => {
  it('covers the true mean where presentations of a stimulus succeed together; over trials it does not', () => {
    const random = createRandom(9);
    const [STIMULI, REPEATS] = [25, 4];
    const together = Array.from({ length: STIMULI * REPEATS }, (_, i) => Math.floor(i / REPEATS));
    let [byStimulus, byTrial] = [0, 0];
    const DRAWS = 300;
    for (let d = 0; d < DRAWS; d++) {
      const stimuli = random.normals(STIMULI);
      const scores = Float64Array.from(together, (s) => stimuli[s]! + 0.3 * random.normal());
      const options = { resamples: 200, seed: d };
      const covers = ([low, high]: [number, number]) => Number(low <= 0 && high >= 0);
      byStimulus += covers(bootstrapInterval(scores, { ...options, together }));
      byTrial += covers(bootstrapInterval(scores, options));
    }
    expect(byStimulus / DRAWS).toBeGreaterThan(0.88);
    expect(byStimulus / DRAWS).toBeLessThan(0.98);
    expect(byTrial / DRAWS).toBeLessThan(0.75);
  });

  it('is refused together with blocks, and for other numbers of stimuli', () => {
    expect(() => bootstrapInterval([1, 2], { together: [0, 1], block: 2 })).toThrow(/block/);
    expect(() => bootstrapInterval([1, 2], { together: [0] })).toThrow(/together/);
  });
});
