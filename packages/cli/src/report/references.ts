/** Works that methods of ours come from. */
export interface Reference {
  readonly key: string;
  /** How the text cites it. */
  readonly cite: string;
  readonly full: string;
  readonly doi: string;
}

const LIST: readonly Reference[] = [
  {
    key: 'hoerl',
    cite: 'Hoerl & Kennard, 1970',
    full: 'Hoerl, A. E., & Kennard, R. W. (1970). Ridge regression: biased estimation for nonorthogonal problems. Technometrics, 12(1), 55–67.',
    doi: '10.1080/00401706.1970.10488634',
  },
  {
    key: 'dumoulin',
    cite: 'Dumoulin & Wandell, 2008',
    full: 'Dumoulin, S. O., & Wandell, B. A. (2008). Population receptive field estimates in human visual cortex. NeuroImage, 39(2), 647–660.',
    doi: '10.1016/j.neuroimage.2007.09.034',
  },
  {
    key: 'kay',
    cite: 'Kay et al., 2013',
    full: 'Kay, K. N., Winawer, J., Mezer, A., & Wandell, B. A. (2013). Compressive spatial summation in human visual cortex. Journal of Neurophysiology, 110(2), 481–494.',
    doi: '10.1152/jn.00105.2013',
  },
  {
    key: 'zuiderbaan',
    cite: 'Zuiderbaan et al., 2012',
    full: 'Zuiderbaan, W., Harvey, B. M., & Dumoulin, S. O. (2012). Modeling center–surround configurations in population receptive fields using fMRI. Journal of Vision, 12(3), 10.',
    doi: '10.1167/12.3.10',
  },
  {
    key: 'thirion',
    cite: 'Thirion et al., 2006',
    full: 'Thirion, B., Duchesnay, E., Hubbard, E., Dubois, J., Poline, J.-B., Lebihan, D., & Dehaene, S. (2006). Inverse retinotopy: inferring the visual content of images from brain activation patterns. NeuroImage, 33(4), 1104–1116.',
    doi: '10.1016/j.neuroimage.2006.06.062',
  },
  {
    key: 'ozcelik',
    cite: 'Ozcelik & VanRullen, 2023',
    full: 'Ozcelik, F., & VanRullen, R. (2023). Natural scene reconstruction from fMRI signals using generative latent diffusion. Scientific Reports, 13, 15666.',
    doi: '10.1038/s41598-023-42891-8',
  },
  {
    key: 'takagi',
    cite: 'Takagi & Nishimoto, 2023',
    full: 'Takagi, Y., & Nishimoto, S. (2023). High-resolution image reconstruction with latent diffusion models from human brain activity. Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition, 14453–14463.',
    doi: '10.1109/CVPR52729.2023.01389',
  },
  {
    key: 'kneeland',
    cite: 'Kneeland et al., 2025',
    full: 'Kneeland, R., Scotti, P. S., St-Yves, G., Breedlove, J., Kay, K., & Naselaris, T. (2025). NSD-Imagery: a benchmark dataset for extending fMRI vision decoding methods to mental imagery. Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition.',
    doi: '10.48550/arXiv.2506.06898',
  },
  {
    key: 'nunez',
    cite: 'Nunez-Elizalde et al., 2019',
    full: 'Nunez-Elizalde, A. O., Huth, A. G., & Gallant, J. L. (2019). Voxelwise encoding models with non-spherical multivariate normal priors. NeuroImage, 197, 482–492.',
    doi: '10.1016/j.neuroimage.2019.04.012',
  },
  {
    key: 'dupre',
    cite: 'Dupré la Tour et al., 2022',
    full: 'Dupré la Tour, T., Eickenberg, M., Nunez-Elizalde, A. O., & Gallant, J. L. (2022). Feature-space selection with banded ridge regression. NeuroImage, 264, 119728.',
    doi: '10.1016/j.neuroimage.2022.119728',
  },
  {
    key: 'mindeye',
    cite: 'Scotti et al., 2023',
    full: 'Scotti, P. S., Banerjee, A., Goode, J., Shabalin, S., Nguyen, A., Cohen, E., et al. (2023). Reconstructing the mind’s eye: fMRI-to-image with contrastive learning and diffusion priors. Advances in Neural Information Processing Systems, 36.',
    doi: '10.48550/arXiv.2305.18274',
  },
  {
    key: 'scotti',
    cite: 'Scotti et al., 2024',
    full: 'Scotti, P. S., Tripathy, M., Torrico Villanueva, C. K., Kneeland, R., Chen, T., Narang, A., et al. (2024). MindEye2: shared-subject models enable fMRI-to-image with 1 hour of data. Proceedings of the 41st International Conference on Machine Learning, PMLR 235.',
    doi: '10.48550/arXiv.2403.11207',
  },
  {
    key: 'phipson',
    cite: 'Phipson & Smyth, 2010',
    full: 'Phipson, B., & Smyth, G. K. (2010). Permutation p-values should never be zero: calculating exact p-values when permutations are randomly drawn. Statistical Applications in Genetics and Molecular Biology, 9(1), 39.',
    doi: '10.2202/1544-6115.1585',
  },
  {
    key: 'politis',
    cite: 'Politis & Romano, 1992',
    full: 'Politis, D. N., & Romano, J. P. (1992). A circular block-resampling procedure for stationary data. In R. LePage & L. Billard (Eds.), Exploring the Limits of Bootstrap (pp. 263–270). Wiley.',
    doi: '',
  },
  {
    key: 'efron',
    cite: 'Efron & Tibshirani, 1993',
    full: 'Efron, B., & Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall.',
    doi: '10.1007/978-1-4899-4541-9',
  },
  {
    key: 'allen',
    cite: 'Allen et al., 2022',
    full: 'Allen, E. J., St-Yves, G., Wu, Y., Breedlove, J. L., Prince, J. S., Dowdle, L. T., et al. (2022). A massive 7T fMRI dataset to bridge cognitive neuroscience and artificial intelligence. Nature Neuroscience, 25, 116–126.',
    doi: '10.1038/s41593-021-00962-x',
  },
];

/** Collects what a text cites, in the order of the citations. */
export class Citations {
  readonly used: Reference[] = [];

  /** `(Hoerl & Kennard, 1970)` */
  cite(...keys: readonly string[]): string {
    const found = keys.map((key) => LIST.find((reference) => reference.key === key)!);
    for (const reference of found) if (!this.used.includes(reference)) this.used.push(reference);
    return `(${found.map(({ cite }) => cite).join('; ')})`;
  }
}
