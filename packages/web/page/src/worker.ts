import './strict.ts';
import '@fmri2image/web/worker';
