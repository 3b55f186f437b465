/** Pictures of the test split, each seen three times by subjects of 40 sessions. */
export const TEST_IMAGES = 1000;

/** A score as it was published: of subject 1 (the repository's notebook), and averaged over subjects 1, 2, 5, 7. */
export interface PublishedScore {
  readonly name: string;
  /** 40 hours of data. */
  readonly subject1?: number;
  readonly average?: number;
  /** 1 hour. */
  readonly averageHour?: number;
  /** What computing it needs beside the decoder. */
  readonly needs: 'targets' | 'generator';
}

/**
 * MindEye2 (Scotti et al. 2024, arXiv:2403.11207, table 1; subject 1: final evaluations notebook). Percentages as shares.
 * "Image retrieval" is the original's "fwd": for each image, the brain that is nearest.
 */
export const PUBLISHED_SCORES: readonly PublishedScore[] = [
  { name: 'image retrieval', subject1: 0.9996, average: 0.988, averageHour: 0.79, needs: 'targets' },
  { name: 'brain retrieval', subject1: 0.9987, average: 0.983, averageHour: 0.574, needs: 'targets' },
  { name: 'PixCorr', subject1: 0.374, average: 0.322, averageHour: 0.195, needs: 'generator' },
  { name: 'SSIM', subject1: 0.4395, average: 0.431, averageHour: 0.419, needs: 'generator' },
  { name: 'AlexNet(2)', subject1: 0.9791, average: 0.961, averageHour: 0.842, needs: 'generator' },
  { name: 'AlexNet(5)', subject1: 0.9911, average: 0.986, averageHour: 0.906, needs: 'generator' },
  { name: 'Inception', subject1: 0.96, average: 0.954, averageHour: 0.812, needs: 'generator' },
  { name: 'CLIP', subject1: 0.9369, average: 0.93, averageHour: 0.792, needs: 'generator' },
  { name: 'EfficientNet', subject1: 0.6075, average: 0.619, averageHour: 0.81, needs: 'generator' },
  { name: 'SwAV', subject1: 0.3363, average: 0.344, averageHour: 0.468, needs: 'generator' },
];
