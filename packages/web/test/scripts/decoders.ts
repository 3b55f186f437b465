import '@fmri2image/web/worker';
