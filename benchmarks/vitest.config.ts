import { defineConfig } from 'vitest/config';
import { patience, shared } from '../vitest.shared.ts';

export default defineConfig({ ...shared, test: { include: ['test/**/*.test.ts'], ...patience } });
