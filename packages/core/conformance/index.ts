export {
  type CaseResult,
  type ConformanceOptions,
  type ConformanceReport,
  formatReport,
  runConformance,
} from './runner.ts';
