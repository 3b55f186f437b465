import type { ColumnStatsAttributes } from '@fmri2image/core';
import { columnStatsPrograms, encodeColumnStats } from './columns.ts';
import type { Kernel } from './kernel.ts';

export const columnStats: Kernel<ColumnStatsAttributes> = {
  programs: () => columnStatsPrograms,
  encode({ inputs: [x], outputs: [mean, std], attributes: { ddof } }, encoder) {
    encodeColumnStats(encoder, x!, mean!, std!, ddof);
  },
};
