/** A checkpoint that others published, and what this project can do with it. */
export interface PublishedModel {
  /** Name of the model here; `--model` of `fmri2image convert` where it can be converted. */
  readonly model: string;
  readonly what: string;
  /** Where its code is. */
  readonly repository: string;
  /** Where its file is, for people: nothing here downloads it. */
  readonly download: string;
  readonly file: string;
  /** Size, in words: what is known of it. */
  readonly size: string;
  /** Parameters that the model has. */
  readonly parameters: number;
  /** Licence of the code; checkpoints carry none of their own. */
  readonly licence: string;
  /** Terms of the data that it was trained on. */
  readonly dataTerms: string;
  /** Absent where it cannot be converted yet. */
  readonly convert?: string;
  readonly paper: string;
}

const NSD_TERMS =
  'trained on the Natural Scenes Dataset: NSD terms and conditions, access by its form (naturalscenesdataset.org)';
const MINDEYE1_PAPER = 'Scotti et al. 2023, arXiv:2305.18274';
const MINDEYE2_PAPER = 'Scotti et al. 2024, arXiv:2403.11207';
const MINDEYE1 = {
  repository: 'github.com/MedARC-AI/fMRI-reconstruction-NSD',
  download: 'huggingface.co/datasets/pscotti/naturalscenesdataset, folder mindeye_models',
  licence: 'MIT',
  dataTerms: NSD_TERMS,
  paper: MINDEYE1_PAPER,
};
const MINDEYE2 = {
  repository: 'github.com/MedARC-AI/MindEyeV2',
  download: 'huggingface.co/datasets/pscotti/mindeyev2',
  licence: 'MIT',
  dataTerms: NSD_TERMS,
  paper: MINDEYE2_PAPER,
};

const command = (model: string, file: string) =>
  `fmri2image convert ${file} --model ${model} -o ${model}.bundle`;

/** What is known of each system's weights: published facts, and sizes counted from its parameters. */
export const PUBLISHED_MODELS: readonly PublishedModel[] = [
  {
    model: 'mindeye2',
    what: 'MindEye2: voxels to 256 CLIP tokens, retrieval, blurry latent, diffusion prior',
    ...MINDEYE2,
    file: 'train_logs/NAME/last.pth',
    size: '8.9 GB of weights in f32 for one subject; with the state of the optimiser, about three times that',
    parameters: 2_227_294_844,
    convert: command('mindeye2', 'last.pth'),
  },
  {
    model: 'mindeye1',
    what: 'MindEye1: voxels to 257 CLIP tokens, retrieval, diffusion prior',
    ...MINDEYE1,
    file: 'prior_257_final_subj01_bimixco_softclip_byol/last.pth',
    size: '4.0 GB of weights in f32',
    parameters: 947_579_904 + 56_055_184,
    convert: command('mindeye1', 'last.pth'),
  },
  {
    model: 'mindeye1-low-level',
    what: 'MindEye1: voxels to a blurry latent of Stable Diffusion',
    ...MINDEYE1,
    file: 'autoencoder_subj01_4x_locont_no_reconst/*.pth',
    size: '0.8 GB of weights in f32',
    parameters: 206_065_604,
    convert: command('mindeye1-low-level', 'epoch120.pth'),
  },
  {
    model: 'clip-converter',
    what: 'MindEye2: tokens of OpenCLIP bigG to those of CLIP L, for captions',
    ...MINDEYE2,
    dataTerms: 'trained on pictures of COCO: COCO terms of use',
    file: 'bigG_to_L_epoch8.pth',
    size: '7.1 MB of weights in f32',
    parameters: 1_771_009,
    convert: command('clip-converter', 'bigG_to_L_epoch8.pth'),
  },
  {
    model: 'sd-vae',
    what: 'MindEye2: autoencoder of Stable Diffusion, for blurry pictures',
    ...MINDEYE2,
    dataTerms: 'no brain data',
    file: 'sd_image_var_autoenc.pth',
    size: '0.33 GB of weights in f32',
    parameters: 83_653_863,
  },
];

/** Models whose checkpoints become bundles; a bundle's `kind` is the model. */
export const CONVERTED_KINDS: readonly string[] = PUBLISHED_MODELS.filter(({ convert }) => convert).map(
  ({ model }) => model,
);
