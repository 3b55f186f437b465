import type { ColumnStatsAttributes } from '@fmri2image/core';
import { columnStatsPrograms, encodeColumnStats, tooWide } from './columns.ts';
import type { Kernel } from './kernel.ts';

export const columnStats: Kernel<ColumnStatsAttributes> = {
  programs: columnStatsPrograms,
  refuses([x], _attributes, limits) {
    return tooWide({ limits }, x!.shape[0]!, x!.shape[1]!, 3);
  },
  encode({ inputs: [x], outputs: [mean, std], attributes: { ddof } }, encoder) {
    encodeColumnStats(encoder, x!, mean!, std!, ddof);
  },
};
