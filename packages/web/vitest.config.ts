import { defineConfig } from 'vitest/config';
import { shared } from '../../vitest.shared.ts';
import { viteWgsl } from './wgsl.ts';

export default defineConfig({ ...shared, plugins: [viteWgsl], test: { include: ['test/**/*.test.ts'] } });
